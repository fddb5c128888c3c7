/* fx: one static program that gets refused in ways the lab does not have. Each prints "NAME: CALL: TEXT (errno N) after K" and retries every 2 s. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
static const char *me;
static void said(const char *w, int e, long n)
{
    fprintf(stderr, "%s: %s: %s (errno %d) after %ld\n", me, w, e ? strerror(e) : "ok", e, n);
    fflush(stderr);
}

static void *idle(void *x)
{
    for (;;)
        pause();
    return x;
}

static int thr(size_t st)
{
    pthread_attr_t a;
    pthread_t t;
    pthread_attr_init(&a);
    if (st)
        pthread_attr_setstacksize(&a, st);
    pthread_attr_setdetachstate(&a, PTHREAD_CREATE_DETACHED);
    int e = pthread_create(&t, &a, idle, 0);
    pthread_attr_destroy(&a);
    return e;
}

static int kid(void)
{
    pid_t p = fork();
    if (p < 0)
        return errno;
    if (!p) {
        for (;;)
            pause();
    }
    return 0;
}

static int quick(void)
{
    pid_t p = fork();
    if (p < 0)
        return errno;
    if (!p)
        _exit(0);
    waitpid(p, 0, 0);
    return 0;
}

int main(int c, char **v)
{
    me = strrchr(v[0], '/') ? strrchr(v[0], '/') + 1 : v[0];
    const char *m = c > 1 ? v[1] : "";
    long a = c > 2 ? atol(v[2]) : 0, b = c > 3 ? atol(v[3]) : 0, d = c > 4 ? atol(v[4]) : 0;
    if (!strcmp(m, "mlock")) {  /* KB per step: lock until refused */
        long n = 0;
        for (;;) {
            void *p = mmap(0, a * 1024, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            if (p == MAP_FAILED) {
                said("mmap", errno, n);
                sleep(2);
                continue;
            }
            if (mlock(p, a * 1024)) {
                said("mlock", errno, n);
                munmap(p, a * 1024);
                sleep(2);
            } else
                n += a;
        }
    } else if (!strcmp(m, "mlockall")) {        /* as an application does once at start, then goes on or (b=1) exits */
        for (;;) {
            if (mlockall(MCL_CURRENT | MCL_FUTURE)) {
                said("mlockall", errno, 0);
                if (a)
                    return 1;
            } else
                said("mlockall", 0, 0);
            sleep(2);
        }
    } else if (!strcmp(m, "mclfuture")) {       /* lock what is there, everything later too: then allocations are refused with EAGAIN */
        if (mlockall(MCL_CURRENT | MCL_FUTURE))
            said("mlockall", errno, 0);
        long n = 0;
        for (;;) {
            void *p = mmap(0, 256 * 1024, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            if (p == MAP_FAILED) {
                said("mmap", errno, n);
                int e = thr(65536);
                if (e)
                    said("pthread_create", e, n);
                sleep(2);
            } else
                n += 256;
        }
    } else if (!strcmp(m, "hugetlb")) {
        long n = 0;
        for (;;) {
            void *p = mmap(0, 2 << 20, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
            if (p == MAP_FAILED) {
                said("mmap(MAP_HUGETLB)", errno, n);
                sleep(2);
            } else {
                memset(p, 1, 2 << 20);
                n++;
            }
        }
    } else if (!strcmp(m, "onevma")) {  /* MB in pieces that merge into one mapping, then fork again and again */
        long n = 0;
        char *at = (char *)0x200000000000UL;
        while (n < a) {
            void *p = mmap(at + (n << 20), 64 << 20, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
            if (p == MAP_FAILED) {
                said("mmap", errno, n);
                break;
            }
            n += 64;
        }
        for (;;) {
            int e = quick();
            said("fork", e, n);
            sleep(2);
    }} else if (!strcmp(m, "bigmmap")) {
        for (;;) {
            void *p = mmap(0, a << 20, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            said("mmap", p == MAP_FAILED ? errno : 0, a);
            if (p != MAP_FAILED)
                munmap(p, a << 20);
            else if (b)
                return 1;
            sleep(2);
        }
    } else if (!strcmp(m, "seccomp")) { /* clone3 and clone refused with errno a, as a container's filter does */
        struct sock_filter f[] = { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 435, 1, 0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 56, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (a & 0xffff)), BPF_STMT(BPF_RET | BPF_K,
                                                                                      SECCOMP_RET_ALLOW)
        };
        struct sock_fprog p = { 5, f };
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        if (prctl(PR_SET_SECCOMP, 2, &p))
            said("seccomp", errno, 0);
        for (;;) {
            said("pthread_create", thr(65536), 0);
            said("fork", quick(), 0);
            sleep(2);
        }
    } else if (!strcmp(m, "unsharepid")) {
        if (unshare(CLONE_NEWPID))
            said("unshare", errno, 0);
        int e = quick();
        said("fork", e, 0);
        for (;;) {
            said("fork", quick(), 1);
            sleep(2);
        }
    } else if (!strcmp(m, "threads")) {
        long n = 0;
        for (;;) {
            while (n < a) {
                int e = thr(b);
                if (e) {
                    said("pthread_create", e, n);
                    break;
                }
                n++;
            }
            sleep(2);
        }
    } else if (!strcmp(m, "defthreads")) {
        long n = 0;
        for (;;) {
            while (n < a) {
                int e = thr(0);
                if (e) {
                    said("pthread_create", e, n);
                    break;
                }
                n++;
            }
            sleep(2);
        }
    } else if (!strcmp(m, "forks")) {
        long n = 0;
        for (;;) {
            while (n < a) {
                int e = kid();
                if (e) {
                    said("fork", e, n);
                    break;
                }
                n++;
            }
            sleep(2);
        }
    } else if (!strcmp(m, "crash")) {   /* what most runtimes do: die of the first refusal. a: 0 threads 1 forks, b: how many it wants */
        for (long n = 0; n < b; n++) {
            int e = a ? kid() : thr(65536);
            if (e) {
                said(a ? "fork" : "pthread_create", e, n);
                if (d)
                    sleep(d);
                kill(0, SIGKILL);
            }
        }
        for (;;)
            pause();
    } else if (!strcmp(m, "zombies")) { /* a children that end and are never waited for, then tries on */
        long n = 0;
        for (;;) {
            while (n < a) {
                pid_t p = fork();
                if (p < 0) {
                    said("fork", errno, n);
                    break;
                }
                if (!p)
                    _exit(0);
                n++;
            }
            sleep(2);
        }
    } else if (!strcmp(m, "burst")) {   /* every b ms, a children at once that live d ms */
        for (;;) {
            long ok = 0;
            int last = 0;
            for (long i = 0; i < a; i++) {
                pid_t p = fork();
                if (p < 0) {
                    last = errno;
                    break;
                }
                if (!p) {
                    usleep(d * 1000);
                    _exit(0);
                }
                ok++;
            }
            if (last)
                said("fork", last, ok);
            while (wait(0) > 0) ;
            usleep(b * 1000);
        }
    } else if (!strcmp(m, "aio")) {
        long n = 0;
        aio_context_t ctx;
        while (n < b || !b) {  /* as a database does: so many events, and no more */
            ctx = 0;
            if (syscall(SYS_io_setup, a, &ctx)) {
                said("io_setup", errno, n);
                sleep(2);
            } else
                n += a;
        }
        pause();
    } else if (!strcmp(m, "optmem")) {  /* a filter of a instructions on a socket, as libpcap and dhcp do */
        for (;;) {
            int s = socket(AF_INET, SOCK_DGRAM, 0);
            struct sock_filter *f = calloc(a, sizeof *f);
            for (long i = 0; i < a; i++)
                f[i] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0xffff);
            struct sock_fprog p = { a, f };
            int e = setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof p) ? errno : 0;
            said("setsockopt(SO_ATTACH_FILTER)", e, a);
            free(f);
            close(s);
            sleep(2);
        }
    } else if (!strcmp(m, "timers")) {
        long n = 0;
        timer_t t;
        struct sigevent s = {.sigev_notify = SIGEV_SIGNAL,.sigev_signo = SIGUSR1 };
        signal(SIGUSR1, SIG_IGN);
        for (;;) {
            if (timer_create(CLOCK_MONOTONIC, &s, &t)) {
                said("timer_create", errno, n);
                sleep(2);
            } else
                n++;
        }
    } else if (!strcmp(m, "memcg")) {   /* fill the memory cgroup, then say by the name of the process what fork and mmap answer: nothing here may need a new page */
        {
            volatile char st[131072];
            for (unsigned i = 0; i < sizeof st; i += 512)
                st[i] = 1;
        }
        char nm[16];
        snprintf(nm, 16, "fx-f%d-m%d", quick(), 0);
        prctl(PR_SET_NAME, nm);
        for (long n = 0; n < a * 256; n++) {
            char *p = mmap(0, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            if (p == MAP_FAILED)
                break;
            if (madvise(p, 4096, 23))
                break;
        }
        for (;;) {
            int e = quick();
            void *q = mmap(0, 1 << 20, 1, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
            int m2 = q == MAP_FAILED ? errno : 0;
            if (!m2)
                munmap(q, 1 << 20);
            snprintf(nm, 16, "fx-f%d-m%d", e, m2);
            prctl(PR_SET_NAME, nm);
            sleep(1);
        }
    } else if (!strcmp(m, "userns")) {  /* wait until someone wrote our maps; then for uid i in 1..a fork b idle children each */
        if (unshare(CLONE_NEWUSER)) {
            said("unshare", errno, 0);
            return 1;
        }
        for (;;) {
            char t[64] = { 0 };
            int f = open("/proc/self/uid_map", O_RDONLY);
            ssize_t r = read(f, t, 63);
            close(f);
            if (r > 0)
                break;
            usleep(100000);
        }
        setresgid(0, 0, 0);
        setresuid(0, 0, 0);
        for (long i = 1; i <= a; i++) {
            pid_t p = fork();
            if (p < 0) {
                said("fork", errno, i);
                break;
            }
            if (!p) {
                if (setresuid(i, i, i))
                    said("setresuid", errno, i);
                long n = 0;
                for (;;) {
                    while (n < b) {
                        int e = kid();
                        if (e) {
                            said("fork", e, i * 1000 + n);
                            break;
                        }
                        n++;
                    }
                    sleep(2);
                }
            }
        }
        for (;;)
            pause();
    } else if (!strcmp(m, "threadcg")) {        /* main thread stays, a helper thread moves itself to the cgroup directory v[2] and makes threads there */
        extern void *helper(void *);
        pthread_t t;
        pthread_create(&t, 0, helper, v[2]);
        for (;;)
            pause();
    } else if (!strcmp(m, "onceb")) {   /* b MB once; dies when refused, else stays */
        for (;;) {
            void *p = mmap(0, b << 20, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            if (p == MAP_FAILED) {
                said("mmap", errno, b);
                return 1;
            }
            for (;;)
                pause();
        }
    } else if (!strcmp(m, "once")) {
        said("fork", quick(), 0);
        said("pthread_create", thr(65536), 0);
        void *p = mmap(0, (a ? a : 64) << 20, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        said("mmap", p == MAP_FAILED ? errno : 0, a);
    } else {
        fprintf(stderr, "fx: mode?\n");
        return 2;
    }
    return 0;
}

void *helper(void *dir)
{
    char f[300];
    int n = 0;
    snprintf(f, 300, "%s/cgroup.threads", (char *)dir);
    int fd = open(f, O_WRONLY);
    char t[20];
    n = snprintf(t, 20, "%d", (int)syscall(SYS_gettid));
    if (fd < 0 || write(fd, t, n) < 0)
        said("move", errno, 0);
    long k = 0;
    for (;;) {
        while (k < 200) {
            int e = thr(65536);
            if (e) {
                said("pthread_create", e, k);
                break;
            }
            k++;
        }
        sleep(2);
    }
    return 0;
}
