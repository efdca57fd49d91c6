# The programs together, as their users run them; see tests/support/tap.sh.
EXTRA_DIST += tests/support/tap.sh
