"""A program over an event loop, and no world."""

import asyncio


async def main() -> None:
    await asyncio.sleep(0)


def loop() -> None:
    asyncio.run(main())
