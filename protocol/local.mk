# The files of protocol/; see Makefile.am for the lists.
