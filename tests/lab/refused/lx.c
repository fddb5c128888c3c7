/* lx MODE [N]: refused by a limit that is neither memory nor tasks, again and again. Each prints "lx: CALL: TEXT (errno N) after K". */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct deadline { /* struct sched_attr of the kernel, which some C libraries declare and some do not */
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};

static void said(const char *call, int failure, long after)
{
    fprintf(stderr, "lx: %s: %s (errno %d) after %ld\n", call, failure ? strerror(failure) : "ok", failure, after);
    fflush(stderr);
}

static void *idle(void *unused)
{
    return unused;
}

static int keys(long number)
{
    char name[32];
    snprintf(name, sizeof name, "lx-%ld", number);
    return syscall(SYS_add_key, "user", name, "x", 1, -3 /* the session's keyring */) < 0 ? errno : 0;
}

static int deadline(long number)
{
    struct deadline wanted = {sizeof wanted, 6, 0, 0, 0, 10000000, 30000000, 30000000};
    if (!number && syscall(SYS_sched_setattr, 0, &wanted, 0))
        return errno;
    pid_t child = fork();
    if (child < 0)
        return errno;
    if (!child)
        _exit(0);
    waitpid(child, 0, 0);
    return 0;
}

static int groups(long number)
{
    static int socket_of_all = -1;
    struct ip_mreq wanted = {{htonl(0xefc80000 + number)}, {htonl(INADDR_LOOPBACK)}};
    if (socket_of_all < 0)
        socket_of_all = socket(AF_INET, SOCK_DGRAM, 0);
    return setsockopt(socket_of_all, IPPROTO_IP, IP_ADD_MEMBERSHIP, &wanted, sizeof wanted) ? errno : 0;
}

static int ring(long number)
{
    char parameters[120] = {0};
    (void)number;
    int made = syscall(SYS_io_uring_setup, 4, parameters);
    if (made >= 0)
        close(made);
    return made < 0 ? errno : 0;
}

static int executable(long number)
{
    (void)number;
    void *memory = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int failure = mprotect(memory, 4096, PROT_READ | PROT_WRITE | PROT_EXEC) ? errno : 0;
    munmap(memory, 4096);
    return failure;
}

static int queues(long number)
{
    char name[32];
    snprintf(name, sizeof name, "/lx-%ld", number);
    return mq_open(name, O_RDWR | O_CREAT, 0600, 0) < 0 ? errno : 0;
}

static int realtime(long number)
{
    pthread_attr_t wanted;
    pthread_t thread;
    struct sched_param priority = {10};
    (void)number;
    pthread_attr_init(&wanted);
    pthread_attr_setinheritsched(&wanted, PTHREAD_EXPLICIT_SCHED);
    pthread_attr_setschedpolicy(&wanted, SCHED_FIFO);
    pthread_attr_setschedparam(&wanted, &priority);
    int failure = pthread_create(&thread, &wanted, idle, 0);
    if (!failure)
        pthread_join(thread, 0);
    return failure;
}

static int watchers(long number)
{
    (void)number;
    return inotify_init1(0) < 0 ? errno : 0;
}

static int namespace(long number)
{
    (void)number;
    return unshare(CLONE_NEWUSER) ? errno : 0;
}

static int terminals(long number)
{
    (void)number;
    return open("/dev/ptmx", O_RDWR | O_NOCTTY) < 0 ? errno : 0;
}

static volatile sig_atomic_t gives_back;

static void give_back(int unused)
{
    (void)unused;
    gives_back = 1;
}

/* Wants 12 MiB locked in pieces of 512 KiB and then no more; SIGUSR1 has it give back all. */
static int locks(long number)
{
    signal(SIGUSR1, give_back);
    if (gives_back)
        return munlockall(), 0;
    if (number >= 24)
        return 0;
    void *piece = mmap(0, 512 << 10, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (piece == MAP_FAILED)
        return errno;
    int failure = mlock(piece, 512 << 10) ? errno : 0;
    if (failure)
        munmap(piece, 512 << 10);
    return failure;
}

int main(int count, char **words)
{
    static const struct {
        const char *name, *call;
        int (*attempt)(long);
    } modes[] = {
        {"keys", "add_key", keys},          {"deadline", "fork", deadline},         {"groups", "IP_ADD_MEMBERSHIP", groups},
        {"ring", "io_uring_setup", ring},   {"executable", "mprotect", executable}, {"queues", "mq_open", queues},
        {"realtime", "pthread_create", realtime}, {"watchers", "inotify_init", watchers}, {"namespace", "unshare", namespace},
        {"terminals", "open(/dev/ptmx)", terminals}, {"locks", "mlock", locks},
    };
    for (unsigned i = 0; count > 1 && i < sizeof modes / sizeof *modes; i++)
        if (!strcmp(words[1], modes[i].name))
            for (long number = 0;;) {
                int failure = modes[i].attempt(number);
                if (failure) {
                    said(modes[i].call, failure, number);
                    sleep(2);
                } else if (++number > 2000 || (modes[i].attempt == locks && number >= 24))
                    sleep(2);
            }
    fprintf(stderr, "lx: which mode?\n");
    return 2;
}
