# The files of man/; see Makefile.am for the lists.
dist_man_MANS += \
	%D%/cairn-bench.1
