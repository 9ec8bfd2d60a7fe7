"""What all tests need of the process that they run in."""

import signal

# Whatever a shell starts in the background ignores these, and so would all that the tests start
# and then stop by them. One that is caught is not ignored by a child.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGQUIT) is signal.SIG_IGN:
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
