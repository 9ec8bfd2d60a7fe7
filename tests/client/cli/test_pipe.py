"""Reading and writing that may block, without holding up the connection or the end."""

import asyncio
import os
from collections.abc import Iterator

import pytest

from client.cli.pipe import in_thread, read_lines, reader_gone, unless, write_line


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            continue


async def collect(descriptor: int, max_bytes: int = 2000) -> list[bytes]:
    return [line async for line in read_lines(max_bytes, descriptor)]


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"one\ntwo\n", [b"one", b"two"]),
        (b"one\n\n two ", [b"one", b"", b" two "]),
        (b"\n", [b""]),
        # Only the line feed ends a line: what else looks like an end is part of the text.
        (b"a\r\nb\x0bc\xe2\x80\xa8d", [b"a\r", b"b\x0bc\xe2\x80\xa8d"]),
        (b"\xff\n", [b"\xff"]),
    ],
)
async def test_lines_are_cut_at_line_feeds_alone(
    pipe: tuple[int, int], data: bytes, lines: list[bytes]
) -> None:
    os.write(pipe[1], data)
    os.close(pipe[1])
    assert await collect(pipe[0]) == lines


async def test_line_without_an_end_is_not_gathered_for_ever(pipe: tuple[int, int]) -> None:
    os.write(pipe[1], b"fine\n" + b"x" * 3000)
    lines = await collect(pipe[0])
    assert lines[0] == b"fine"
    assert len(lines) == 2
    assert len(lines[1]) > 2000


async def test_line_is_yielded_before_the_next_is_there(pipe: tuple[int, int]) -> None:
    lines = read_lines(2000, pipe[0])
    os.write(pipe[1], b"first\nsec")
    assert await anext(lines) == b"first"
    os.write(pipe[1], b"ond\n")
    assert await anext(lines) == b"second"


async def test_a_slow_reader_does_not_hold_up_the_loop(pipe: tuple[int, int]) -> None:
    line = "x" * 200_000
    writing = asyncio.create_task(write_line(line, pipe[1]))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not writing.done()
    read = b""
    while not read.endswith(b"\n"):
        read += await in_thread(lambda: os.read(pipe[0], 65_536))
    await writing
    assert read == line.encode() + b"\n"


async def test_writing_to_nobody_is_a_broken_pipe(pipe: tuple[int, int]) -> None:
    os.close(pipe[0])
    with pytest.raises(BrokenPipeError):
        await write_line("x", pipe[1])


async def test_reader_that_goes_is_noticed_without_writing(pipe: tuple[int, int]) -> None:
    watch = asyncio.create_task(reader_gone(pipe[1]))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not watch.done()
    os.close(pipe[0])
    with pytest.raises(BrokenPipeError):
        await watch


async def test_error_in_a_thread_is_raised_where_it_is_awaited() -> None:
    def fail() -> None:
        raise OSError("told")

    with pytest.raises(OSError, match="told"):
        await in_thread(fail)


async def test_work_ends_when_its_watch_fails_and_only_then() -> None:
    async def forever() -> None:
        await asyncio.Event().wait()

    async def give(value: int) -> int:
        await asyncio.sleep(0)
        return value

    async def fail() -> None:
        raise BrokenPipeError

    assert await unless(give(1), forever()) == 1
    assert await unless(give(2), give(3)) == 2
    with pytest.raises(BrokenPipeError):
        await unless(forever(), fail())
