# The files of docs/; see Makefile.am for the lists.
