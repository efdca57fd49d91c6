# The files of docs/; see Makefile.am for the lists.
EXTRA_DIST += %D%/methods.md
