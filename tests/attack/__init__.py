"""Attacks on a real relay, each by raw sockets against `beacon-relay serve` as people start it.

`python -m tests.attack` prints what they cost, `--long` adds what takes minutes and hours. Where
else there are attacks: on the clients by a relay that lies in tests/hostile, by a member in
tests/member, by commits that are not what they should be in tests/client/mls/test_following.py;
by bad connections, sleep and kills in tests/chaos and tests/e2e/test_cli_resume.py; on parsers in
the property tests of tests/relay and tests/client; on the page in tests/browser.
"""
