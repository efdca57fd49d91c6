# The files of client/; see Makefile.am for the lists.
