#!/bin/sh
# Every input of tests/fuzz/corpus still ends with the right contents.
exec "${TOP_BUILDDIR:-.}/tests/fuzz/replay" "$(dirname "$0")"/corpus/*
