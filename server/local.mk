# The files of server/; see Makefile.am for the lists.
