import asyncio, sys
async def main():
    child = await asyncio.create_subprocess_exec(sys.executable, '-c', 'print(7)', stdout=asyncio.subprocess.PIPE)
    out, _ = await child.communicate()
    print(out.split(), child.returncode)
asyncio.run(main())
