# Included by the top Makefile.am; paths are from the top. Pure ctypes: one file for every Python 3.
modulesdir = $(pythonmodulesdir)
dist_modules_DATA = python/cowshim.py
