/* The programs that are refused memory or processes. One binary, installed under several names.
 *
 * Each keeps trying, once a second, and writes what its last try of each call came to into /run/lab/NAME:
 *     CALL ERRNO HELD REFUSED      (ERRNO 0: the last try succeeded)
 * That file is the victim's own word for its symptom. It is opened and filled before the trouble starts.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CHILDREN = 4096, PIECES = 4096, MIB = 1024 * 1024 };

typedef struct {
    const char *name;
    int failure; /* -1: never tried */
    long held, refused;
} Call;

static Call fork_call = {"fork", -1, 0, 0}, thread_call = {"pthread_create", -1, 0, 0}, mmap_call = {"mmap", -1, 0, 0};
static const char *name;
static int status_file = -1;
static pid_t child[CHILDREN];
static void *piece[PIECES];
static volatile sig_atomic_t must_give_back;
static int gate[2];
static void *volatile memory; /* else the compiler leaves out what nobody reads */

static void pace(long milliseconds) {
    struct timespec rest = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&rest, NULL);
}

static void write_status(void) {
    Call *calls[] = {&fork_call, &thread_call, &mmap_call};
    char text[256];
    int length = 0;
    for (int i = 0; i < 3; i++)
        if (calls[i]->failure >= 0)
            length += snprintf(text + length, sizeof text - (size_t)length, "%-15s %4d %8ld %8ld\n", calls[i]->name,
                               calls[i]->failure, calls[i]->held, calls[i]->refused);
    if (pwrite(status_file, text, (size_t)length, 0) < 0)
        return;
}

/* Count one try. True when it succeeded. */
static int tried(Call *call, int failure) {
    call->failure = failure;
    if (failure) {
        if (call->refused++ % 10 == 0)
            fprintf(stderr, "%s: %s: %s (errno %d) after %ld\n", name, call->name, strerror(failure), failure, call->held);
    } else
        call->held++;
    write_status();
    return !failure;
}

static int try_fork(void) {
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGUSR1, SIG_DFL);
        for (;;)
            pause();
    }
    int failure = pid < 0 ? errno : 0;
    if (pid > 0)
        child[fork_call.held % CHILDREN] = pid;
    return tried(&fork_call, failure);
}

static void release_children(void) {
    for (long i = 0; i < fork_call.held; i++)
        kill(child[i], SIGKILL);
    for (long i = 0; i < fork_call.held; i++)
        waitpid(child[i], NULL, 0);
    fork_call.held = 0;
    write_status();
}

static void *wait_at_gate(void *nothing) {
    char byte;
    while (read(gate[0], &byte, 1) != 1)
        ;
    return nothing;
}

static int try_thread(void) {
    pthread_attr_t how;
    pthread_t thread;
    pthread_attr_init(&how);
    pthread_attr_setstacksize(&how, 16384);
    pthread_attr_setdetachstate(&how, PTHREAD_CREATE_DETACHED);
    return tried(&thread_call, pthread_create(&thread, &how, wait_at_gate, NULL));
}

static int try_mmap(size_t length, int protection) {
    void *where = mmap(NULL, length, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (where != MAP_FAILED)
        piece[mmap_call.held % PIECES] = where;
    return tried(&mmap_call, where == MAP_FAILED ? errno : 0);
}

static void give_back(int number) { must_give_back = number; }

/* Take what is to be had, then keep asking for one more: so the refusals go on. SIGUSR1 ends them all. */
static void processes(long wanted) {
    signal(SIGUSR1, give_back);
    for (;;) {
        if (must_give_back) {
            release_children();
            pause();
        }
        if (fork_call.held >= wanted || !try_fork())
            pace(1000);
    }
}

static void leak(long wanted, long milliseconds) {
    for (;;) {
        if (fork_call.held < wanted)
            try_fork();
        pace(milliseconds);
    }
}

static void burst(void) {
    while (try_fork())
        ;
    release_children();
    for (;;)
        pause();
}

/* Numbers below 300 are given out once only: a thread that took one and ends gives nothing back. */
static void pass_reserved_numbers(void) {
    for (pid_t child = 0; child >= 0 && child < 300;) {
        child = fork();
        if (child == 0)
            _exit(0);
        if (child > 0)
            waitpid(child, NULL, 0);
    }
}

/* With a slack, refused once and then content with that many threads fewer. */
static void threads(long slack) {
    pass_reserved_numbers();
    for (;;) {
        if (try_thread())
            continue;
        if (slack) {
            for (long i = 0; i < slack; i++)
                if (write(gate[1], "x", 1) != 1)
                    break;
            thread_call.held -= slack;
            write_status();
            for (;;)
                pause();
        }
        pace(2000);
    }
}

/* Neighbouring pages of differing protection cannot be merged into one map. Content with `most` maps, if that is not 0. */
static void maps(long most) {
    for (long i = 0;; i++) {
        if (most && mmap_call.held >= most) {
            write_status();
            pause();
        }
        mmap_call.failure = 0;
        void *where = mmap(NULL, 4096, i % 2 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (where != MAP_FAILED) {
            mmap_call.held++;
            continue;
        }
        tried(&mmap_call, errno);
        pace(1000);
    }
}

/* Promise oneself memory without touching it; then ask for more, and for a child that would need as much again.
 * Content with `most` pieces, if that is not 0; SIGUSR1 makes it give all back and rest. */
static void commit(size_t step, long most, int also_fork) {
    signal(SIGUSR1, give_back);
    for (;;) {
        if (must_give_back) {
            for (long i = 0; i < mmap_call.held && i < PIECES; i++)
                munmap(piece[i], step);
            pause();
        }
        if (most && mmap_call.held >= most) {
            pace(1000);
            continue;
        }
        if (try_mmap(step, PROT_READ | PROT_WRITE))
            continue;
        if (also_fork)
            try_fork();
        pace(1000);
    }
}

static long meminfo_kb(const char *line) {
    char text[4096];
    int file = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
    ssize_t got = read(file, text, sizeof text - 1);
    close(file);
    text[got > 0 ? got : 0] = 0;
    char *found = strstr(text, line);
    return found ? atol(found + strlen(line)) : 0;
}

static long available_kb(void) { return meminfo_kb("MemAvailable:"); }

static int promise(long kb) {
    return mmap(NULL, (size_t)kb * 1024, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}

/* Let children hold all that may be promised but a rest, and hold a piece that is larger than the rest: neither a second
 * piece nor a child of this process fits then. Content with both. */
static void reserve(long rest_kb, long piece_kb) {
    long held_kb = 32768, spare_kb;
    while ((spare_kb = meminfo_kb("CommitLimit:") - meminfo_kb("Committed_AS:") - rest_kb - piece_kb) > 1024)
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            promise(spare_kb < held_kb ? spare_kb : held_kb);
            for (;;)
                pause();
        } else
            pace(200);
    promise(piece_kb);
    while (!try_mmap((size_t)piece_kb * 1024, PROT_READ | PROT_WRITE) | !try_fork())
        pace(1000);
    release_children();
    for (;;)
        pause();
}

/* Read a file over and over through a map that does not fit: each page read pushes out one needed soon. */
static void thrash(const char *path, long rest_ms) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    struct stat found;
    if (file < 0 || fstat(file, &found))
        exit(1);
    volatile unsigned char *bytes = mmap(NULL, (size_t)found.st_size, PROT_READ, MAP_SHARED, file, 0);
    unsigned char sum = 0;
    for (;;) {
        for (off_t at = 0; at < found.st_size; at += 4096)
            sum ^= bytes[at];
        pace(rest_ms);
    }
}

static void shortage(long leave_kb, const char *path) {
    if (fork() == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        while (available_kb() > leave_kb + 4096)
            pace(100);
        thrash(path, 50);
    }
    long most_kb = available_kb() - leave_kb + 16384; /* not ever more, or it would eat up swap that is added later */
    for (;;) {
        long spare = available_kb() - leave_kb;
        size_t step = spare > 16384 ? 4 * MIB : MIB / 2;
        if (spare > 512 && most_kb > 0) {
            void *where = mmap(NULL, step, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            if (where != MAP_FAILED) {
                memory = memset(where, 1, step);
                most_kb -= (long)step / 1024;
            }
            continue;
        }
        try_mmap((size_t)1024 * MIB, PROT_READ | PROT_WRITE);
        pace(1000);
    }
}

/* A supervisor inside a PID namespace whose own, inner namespace has lost its first process. */
static void orphan(void) {
    if (unshare(CLONE_NEWPID))
        exit(1);
    if (fork()) {
        wait(NULL);
        exit(1);
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (unshare(CLONE_NEWPID))
        exit(1);
    pid_t first = fork();
    if (first == 0)
        _exit(0);
    waitpid(first, NULL, 0);
    for (;;) {
        try_fork();
        pace(1000);
    }
}

static void usage(void) {
    fprintf(stderr, "%s: processes N | leak N MS | burst | threads SLACK | maps [MOST] | commit KB [MOST] | grow KB [MOST] |"
                    " reserve REST_KB PIECE_KB | shortage KB FILE | cache KB FILE | orphan\n", name);
    exit(2);
}

int main(int count, char **word) {
    name = strrchr(word[0], '/') ? strrchr(word[0], '/') + 1 : word[0];
    char path[256];
    snprintf(path, sizeof path, "/run/lab/%s", name);
    umask(022);
    status_file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (status_file < 0 || pipe2(gate, O_CLOEXEC)) {
        fprintf(stderr, "%s: %s: %s\n", name, path, strerror(errno));
        return 1;
    }
    const char *what = count > 1 ? word[1] : "";
    long first = count > 2 ? atol(word[2]) : 0, second = count > 3 ? atol(word[3]) : 0;
    if (!strcmp(what, "processes"))
        processes(first);
    else if (!strcmp(what, "leak"))
        leak(first, second);
    else if (!strcmp(what, "burst"))
        burst();
    else if (!strcmp(what, "threads"))
        threads(first);
    else if (!strcmp(what, "maps"))
        maps(first);
    else if (!strcmp(what, "commit") || !strcmp(what, "grow"))
        commit((size_t)first * 1024, second, what[0] == 'c');
    else if (!strcmp(what, "reserve"))
        reserve(first, second);
    else if (!strcmp(what, "shortage") && count > 3)
        shortage(first, word[3]);
    else if (!strcmp(what, "cache") && count > 3) {
        memory = memset(malloc((size_t)first * 1024), 1, (size_t)first * 1024);
        thrash(word[3], 200);
    } else if (!strcmp(what, "orphan"))
        orphan();
    usage();
}
