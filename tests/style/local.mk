# Checks of the sources themselves.
TESTS += %D%/layers.sh
EXTRA_DIST += %D%/layers.sh
