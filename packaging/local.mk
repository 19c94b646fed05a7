# Included by the top Makefile.am; paths are from the top. Debian's packages are made from debian/, by tools/package.
EXTRA_DIST += packaging/cowshim.spec packaging/conda/meta.yaml packaging/tests/packages.py
dist_check_SCRIPTS += packaging/tests/run.sh
TESTS += packaging/tests/run.sh
