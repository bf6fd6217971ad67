"""Reading files by name where the name is chosen inside: what the kernel says of the reader is none of them."""

from __future__ import annotations

import pytest

from boxes import needs_box, opened

pytestmark = needs_box


@pytest.mark.parametrize(
    "name",
    [
        "/proc/self/maps",
        "/proc/self/environ",
        "/proc/thread-self/smaps",
        "/proc/self/mountinfo",
        "/proc/1/status",
        "../proc/self/root/proc/self/maps",
        "link/maps",
    ],
)
async def test_the_reader_s_own_memory_map_and_mounts_are_refused(name: str) -> None:
    async with opened() as box:
        await box.exec(["ln", "-s", "/proc/self", "link"])
        with pytest.raises(PermissionError):
            await box.read_file(name)


@pytest.mark.parametrize("name", ["a\nb", " ", "-", "$(id)", "a\\", "ünï\u2028", "\x1b[2J", "x" * 255])
async def test_a_file_of_any_name_is_written_and_read(name: str) -> None:
    async with opened() as box:
        await box.write_file(name, b"content")
        assert b"content" == await box.read_file(name)


async def test_a_file_that_is_swapped_for_a_link_while_it_is_read_gives_one_of_both_or_is_refused() -> None:
    swap = (
        "import os\nopen('a', 'w').write('plain')\nprint('up', flush=True)\n"
        "while True:\n  os.symlink('/proc/self/maps', 'b'); os.rename('b', 'f')\n"
        "  open('b', 'w').write('plain'); os.rename('b', 'f')\n"
    )
    seen: set[bytes] = set()
    async with opened() as box:
        swapping = await box.start(["python3", "-I", "-S", "-c", swap])
        await swapping.read_line()
        for _ in range(40):
            try:
                seen.add(await box.read_file("f"))
            except (PermissionError, FileNotFoundError):
                seen.add(b"refused")
        await swapping.stop(grace_s=0.1)

    assert seen <= {b"plain", b"refused"}
