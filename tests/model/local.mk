# Included by the top Makefile.am; paths are from the top.
