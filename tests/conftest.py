"""What all tests need of the process that they run in."""

import signal

# Whatever a shell starts in the background ignores this signal, and so would all that the tests
# start; what they start they also interrupt. One that is caught is not ignored by a child.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
