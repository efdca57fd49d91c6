# The programs together, as their users run them; see tests/support/tap.sh.
EXTRA_DIST += \
	%D%/lib.sh \
	tests/support/tap.sh

integration_tests = \
	%D%/dumpavail2jsonl.sh \
	%D%/methods_doc.sh
TESTS += $(integration_tests)
EXTRA_DIST += $(integration_tests)
