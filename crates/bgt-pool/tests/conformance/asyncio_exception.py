import asyncio
async def main():
    raise KeyError('lost')
asyncio.run(main())
