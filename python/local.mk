# Included by the top Makefile.am; paths are from the top. Pure ctypes: one package for every Python 3.
modulesdir = $(pythonmodulesdir)/cowshim
dist_modules_DATA = \
    python/cowshim/__init__.py \
    python/cowshim/__main__.py \
    python/cowshim/_first.py \
    python/cowshim/_library.py \
    python/cowshim/jupyter.py \
    python/cowshim/torch.py \
    python/cowshim/py.typed

dist_check_SCRIPTS += python/tests/run.sh python/tests/jupyter.sh python/tests/wheel.sh
EXTRA_DIST += python/tests/launch.py python/tests/notebook.py
TESTS += python/tests/run.sh python/tests/jupyter.sh python/tests/wheel.sh
