"""What holds for every test."""

import signal

# Whoever starts the tests in the background of a script has Ctrl-C ignored, and processes that tests start
# would inherit that: with a handler here they have the usual one.
signal.signal(signal.SIGINT, signal.default_int_handler)
