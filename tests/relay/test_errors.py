from relay.errors import CloseCode, FrameError, HeadError, Reason, RefusedError, RelayError


def test_close_codes_are_those_of_protocol_4_4() -> None:
    assert {int(code) for code in CloseCode} == {
        *(1000, 1002, 1007, 1008, 1009, 1011, 1012, 1013),
        *(4000, 4001, 4010, 4500, 4502, 4503, 4504),
    }


def test_errors_carry_what_goes_on_the_wire() -> None:
    assert FrameError(CloseCode.FLOOD).close_code == 1008
    assert HeadError(431).status == 431
    refusal = RefusedError(Reason.STALE, fence=4)
    assert (refusal.reason, refusal.fence, refusal.retry_after_s) == ("stale", 4, None)
    assert isinstance(refusal, RelayError)
    assert str(refusal) == "stale"
