/* 32-bit, no libc: maps 16 MiB pieces until the address space ends, then retries */
static int sc6(int n, int a, int b, int c, int d, int e, int f)
{
    int r;
    __asm__ volatile ("push %%ebp; mov %7,%%ebp; int $0x80; pop %%ebp":"=a" (r):"0"(n), "b"(a), "c"(b), "d"(c), "S"(d),
                      "D"(e), "m"(f):"memory");
    return r;
}

static int sc3(int n, int a, int b, int c)
{
    int r;
    __asm__ volatile ("int $0x80":"=a" (r):"0"(n), "b"(a), "c"(b), "d"(c):"memory");
    return r;
}

void _start(void)
{
    for (;;) {
        int r = sc6(192, 0, 16 << 20, 3, 0x22 | 0x4000, -1, 0);
        if (r < 0 && r > -4096) {
            char m[] = "m32: mmap2: Cannot allocate memory (errno 12)\n";
            if (r == -12)
                sc3(4, 2, (int)m, sizeof m - 1);
            int ts[2] = { 2, 0 };
            sc3(162, (int)ts, 0, 0);
        }
}}
