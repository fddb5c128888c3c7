/* The guest's end of the out-of-band channel: a virtio-serial port, no network, no sshd, no login.
 *
 * It locks its memory and needs no new process for anything but `run`, so it answers on a machine where
 * nothing can fork: it can read a counter, write a sysctl, kill a process, and try the call that fails.
 *
 * Request:  ID VERB ARGUMENT...\n     arguments are percent-encoded
 * Answer:   ID ERRNO LENGTH\n BODY    ERRNO 0 is success
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BODY = 256 * 1024, LINE = 64 * 1024, ARGUMENTS = 64, CHILDREN = 4096 };

static char body[BODY];
static size_t body_length;
static char line[LINE];
static char *argument[ARGUMENTS + 1];
static int argument_count;
static pid_t child[CHILDREN];

static void say(const char *text, size_t length) {
    if (length > BODY - body_length)
        length = BODY - body_length;
    memcpy(body + body_length, text, length);
    body_length += length;
}

static void say_number(long number) {
    char text[32];
    say(text, (size_t)snprintf(text, sizeof text, "%ld\n", number));
}

static const char *option(const char *name) {
    size_t length = strlen(name);
    for (int i = 0; i < argument_count; i++)
        if (!strncmp(argument[i], name, length) && argument[i][length] == '=')
            return argument[i] + length + 1;
    return NULL;
}

static long number(const char *name, long otherwise) {
    const char *text = option(name);
    return text ? strtol(text, NULL, 10) : otherwise;
}

static int do_read(void) {
    int file = open(argument[0], O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return errno;
    ssize_t got = 0;
    while (body_length < BODY && (got = read(file, body + body_length, BODY - body_length)) > 0)
        body_length += (size_t)got;
    int failure = got < 0 ? errno : 0;
    close(file);
    return failure;
}

static int put(const char *path, const char *text) {
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file < 0)
        return errno;
    int failure = write(file, text, strlen(text)) < 0 ? errno : 0;
    close(file);
    return failure;
}

static int do_list(void) {
    DIR *directory = opendir(argument[0]);
    if (!directory)
        return errno;
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (entry->d_name[0] == '.')
            continue;
        say(entry->d_name, strlen(entry->d_name));
        say("\n", 1);
    }
    closedir(directory);
    return 0;
}

/* Every process whose program lies in the directory `where`, or is the file `where`. */
static int each_process(const char *where, int signal_number) {
    DIR *directory = opendir("/proc");
    if (!directory)
        return errno;
    size_t length = strlen(where);
    for (struct dirent *entry; (entry = readdir(directory));) {
        char path[64], program[512];
        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        snprintf(path, sizeof path, "/proc/%.20s/exe", entry->d_name);
        ssize_t got = readlink(path, program, sizeof program - 1);
        if (got <= 0)
            continue;
        program[got] = 0;
        if (strncmp(program, where, length) || (program[length] && program[length] != '/'))
            continue;
        pid_t pid = (pid_t)atoi(entry->d_name);
        if (signal_number)
            kill(pid, signal_number);
        say_number(pid);
    }
    closedir(directory);
    return 0;
}

static pid_t fork_into(int cgroup) {
    if (cgroup < 0)
        return fork();
    struct clone_args how = {.flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = (uint64_t)cgroup};
    return (pid_t)syscall(SYS_clone3, &how, sizeof how);
}

/* fork [count=N] [into=CGROUP2] [move=CGROUP1] [uid=N nproc=N]: how many of N held children could be made, and why no more.
 * `into` charges the child to that cgroup without moving there; cgroup v1 lacks it, so `move` goes there and back. */
static int do_fork(void) {
    long wanted = number("count", 1), made = 0;
    long uid = number("uid", 0);
    const char *into = option("into"), *move = option("move");
    char tasks[512], self[32];
    struct rlimit before, tight;
    int failure = 0, cgroup = -1;
    if (wanted > CHILDREN)
        return E2BIG;
    if (into && (cgroup = open(into, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        return errno;
    snprintf(self, sizeof self, "%d", getpid());
    if (move) {
        snprintf(tasks, sizeof tasks, "%s/cgroup.procs", move);
        if ((failure = put(tasks, self)))
            return failure;
    }
    getrlimit(RLIMIT_NPROC, &before);
    if (uid) {
        tight = (struct rlimit){.rlim_cur = (rlim_t)number("nproc", 0), .rlim_max = before.rlim_max};
        setrlimit(RLIMIT_NPROC, &tight);
        if (setresuid((uid_t)uid, (uid_t)uid, 0))
            failure = errno;
    }
    while (!failure && made < wanted) {
        pid_t pid = fork_into(cgroup);
        if (pid == 0)
            for (;;)
                pause();
        if (pid < 0)
            failure = errno;
        else
            child[made++] = pid;
    }
    if (uid) {
        if (setresuid(0, 0, 0))
            _exit(1);
        setrlimit(RLIMIT_NPROC, &before);
    }
    for (long i = 0; i < made; i++)
        kill(child[i], SIGKILL);
    for (long i = 0; i < made; i++)
        waitpid(child[i], NULL, 0);
    if (cgroup >= 0)
        close(cgroup);
    if (move) {
        snprintf(tasks, sizeof tasks, "%s/cgroup.procs", option("home"));
        put(tasks, self);
    }
    say_number(made);
    return failure;
}

static int do_mmap(void) {
    size_t length = (size_t)strtoull(argument[0], NULL, 10);
    void *where = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (where == MAP_FAILED)
        return errno;
    munmap(where, length);
    return 0;
}

static int do_clock(void) {
    struct timespec now = {.tv_sec = atoll(argument[0]), .tv_nsec = atol(argument[1])};
    return clock_settime(CLOCK_REALTIME, &now) ? errno : 0;
}

/* run TIMEOUT_S PROGRAM ARGUMENT...: the one verb that forks. The first line of the body is the wait status. */
static int do_run(void) {
    int pipe_ends[2], status = -1;
    if (pipe2(pipe_ends, O_CLOEXEC))
        return errno;
    pid_t pid = fork();
    if (pid < 0) {
        int failure = errno;
        close(pipe_ends[0]);
        close(pipe_ends[1]);
        return failure;
    }
    if (pid == 0) {
        setpgid(0, 0);
        int nothing = open("/dev/null", O_RDONLY);
        dup2(nothing, 0);
        dup2(pipe_ends[1], 1);
        dup2(pipe_ends[1], 2);
        execvp(argument[1], argument + 1);
        dprintf(2, "%s: %s\n", argument[1], strerror(errno));
        _exit(127);
    }
    close(pipe_ends[1]);
    say("          \n", 11);
    time_t end = time(NULL) + atol(argument[0]);
    struct pollfd watch = {.fd = pipe_ends[0], .events = POLLIN};
    for (;;) {
        long left = end - time(NULL);
        if (left <= 0 || poll(&watch, 1, (int)left * 1000) == 0) {
            kill(-pid, SIGKILL);
            break;
        }
        char chunk[4096];
        ssize_t got = read(pipe_ends[0], chunk, sizeof chunk);
        if (got <= 0)
            break;
        say(chunk, (size_t)got);
    }
    close(pipe_ends[0]);
    waitpid(pid, &status, 0);
    char text[16];
    memcpy(body, text, (size_t)snprintf(text, sizeof text, "%-10d", status));
    return 0;
}

static int answer(const char *verb) {
    for (int i = argument_count; i < 2; i++)
        argument[i] = "";
    if (!strcmp(verb, "ping"))
        return 0;
    if (!strcmp(verb, "read"))
        return do_read();
    if (!strcmp(verb, "write"))
        return put(argument[0], argument[1]);
    if (!strcmp(verb, "list"))
        return do_list();
    if (!strcmp(verb, "mkdir"))
        return mkdir(argument[0], 0755) ? errno : 0;
    if (!strcmp(verb, "rmdir"))
        return rmdir(argument[0]) ? errno : 0;
    if (!strcmp(verb, "unlink"))
        return unlink(argument[0]) ? errno : 0;
    if (!strcmp(verb, "signal"))
        return kill((pid_t)atoi(argument[1]), atoi(argument[0])) ? errno : 0;
    if (!strcmp(verb, "find"))
        return each_process(argument[0], 0);
    if (!strcmp(verb, "slay"))
        return each_process(argument[0], SIGKILL);
    if (!strcmp(verb, "fork"))
        return do_fork();
    if (!strcmp(verb, "mmap"))
        return do_mmap();
    if (!strcmp(verb, "clock"))
        return do_clock();
    if (!strcmp(verb, "run"))
        return do_run();
    return ENOSYS;
}

static void decode(char *text) {
    char *out = text;
    for (; *text; text++)
        if (*text == '%' && isxdigit((unsigned char)text[1]) && isxdigit((unsigned char)text[2])) {
            char hex[3] = {text[1], text[2], 0};
            *out++ = (char)strtol(hex, NULL, 16);
            text += 2;
        } else
            *out++ = *text;
    *out = 0;
}

static void put_all(int port, const char *text, size_t length) {
    while (length) {
        ssize_t put = write(port, text, length);
        if (put > 0) {
            text += put;
            length -= (size_t)put;
        } else
            poll(NULL, 0, 20);
    }
}

static void serve(int port) {
    char *id = strtok(line, " "), *verb = strtok(NULL, " ");
    if (!id || !verb)
        return;
    argument_count = 0;
    for (char *word; argument_count < ARGUMENTS && (word = strtok(NULL, " ")); argument_count++) {
        decode(word);
        argument[argument_count] = word;
    }
    argument[argument_count] = NULL;
    body_length = 0;
    int failure = answer(verb);
    char head[128];
    int length = snprintf(head, sizeof head, "%.40s %d %zu\n", id, failure, body_length);
    put_all(port, head, (size_t)length);
    put_all(port, body, body_length);
}

static int open_port(const char *name) {
    DIR *directory = opendir("/sys/class/virtio-ports");
    if (!directory)
        return -1;
    int port = -1;
    for (struct dirent *entry; port < 0 && (entry = readdir(directory));) {
        char path[300], found[64] = "";
        snprintf(path, sizeof path, "/sys/class/virtio-ports/%.200s/name", entry->d_name);
        int file = open(path, O_RDONLY | O_CLOEXEC);
        if (file < 0)
            continue;
        ssize_t got = read(file, found, sizeof found - 1);
        close(file);
        if (got <= 0 || strncmp(found, name, strlen(name)))
            continue;
        snprintf(path, sizeof path, "/dev/%.200s", entry->d_name);
        port = open(path, O_RDWR | O_CLOEXEC);
    }
    closedir(directory);
    return port;
}

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    int port = open_port("lab.agent");
    if (port < 0)
        return 1;
    mlockall(MCL_CURRENT | MCL_FUTURE);
    for (size_t length = 0;;) {
        ssize_t got = read(port, line + length, 1);
        if (got <= 0) { /* nobody is at the other end */
            poll(NULL, 0, 50);
            continue;
        }
        if (line[length] != '\n' && length < LINE - 2) {
            length++;
            continue;
        }
        line[length] = 0;
        length = 0;
        serve(port);
    }
}
