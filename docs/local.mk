# The files of docs/; see Makefile.am for the lists.
dist_doc_DATA += \
	%D%/architecture.md \
	%D%/benchmarks.md \
	%D%/formats.md \
	%D%/memory.md \
	%D%/methods.md \
	%D%/operations.md \
	%D%/protocol.md \
	%D%/tables.md \
	%D%/testing.md
