# The files of bench/; see Makefile.am for the lists.
