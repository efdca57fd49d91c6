# The files of man/; see Makefile.am for the lists.
