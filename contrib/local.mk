# The files of contrib/; see Makefile.am for the lists.
