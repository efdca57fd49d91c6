# The files of contrib/; see Makefile.am for the lists.
EXTRA_DIST += \
	%D%/dumpavail2jsonl \
	%D%/packages.sh
