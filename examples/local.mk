# Included by the top Makefile.am; paths are from the top. What runs and measures the examples lies beside them.
examplesdir = $(docdir)/examples
dist_examples_SCRIPTS = examples/show
dist_examples_DATA = \
    examples/chain_states.R examples/checkpoint_ring.c examples/undo_stack.py examples/what_if.py \
    tests/apps/compared.py tests/apps/memory.py tests/apps/stepped.py tests/apps/steps.R tests/apps/steps.py
EXTRA_DIST += examples/steps.R examples/steps.py
