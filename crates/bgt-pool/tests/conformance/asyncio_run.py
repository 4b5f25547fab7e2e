import asyncio
async def work(n):
    await asyncio.sleep(0.001)
    return n * n
async def main():
    print(await asyncio.gather(*(work(n) for n in range(5))))
asyncio.run(main())
