/* kill -9 of a process the moment a path exists: killer COMMAND PATTERN [LATER...]
 *
 * The victim is the one process of that command line whose parent is sudo. A guest has one processor and this runs
 * SCHED_FIFO: what inotify wakes runs when the system call that made the path returns, before anything else does.
 *
 * Returns when it watches and goes on in the background. /run/killed then has the victim, and the patterns LATER that are
 * there when it is dead: none, if it died where it should.
 */
#include <fcntl.h>
#include <glob.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_S = 60, PATH = 512 };

static const char KILLED[] = "/run/killed";

static int is_there(const char *pattern) {
    glob_t found;
    int failure = glob(pattern, 0, NULL, &found);
    globfree(&found);
    return !failure;
}

/* Watch each directory that a way to the path leads through, the upper ones first: none is made unseen. */
static void watch(int events, const char *pattern) {
    char upper[PATH];
    for (const char *slash = strchr(pattern + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        glob_t found;
        snprintf(upper, sizeof upper, "%.*s", (int)(slash - pattern), pattern);
        if (!glob(upper, 0, NULL, &found))
            for (size_t i = 0; i < found.gl_pathc; i++)
                inotify_add_watch(events, found.gl_pathv[i], IN_CREATE | IN_MOVED_TO);
        globfree(&found);
    }
}

/* A small file of procfs, its NUL bytes as spaces. */
static int read_proc(int pid, const char *name, char *text, size_t size) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = file < 0 ? -1 : read(file, text, size - 1);
    if (file >= 0)
        close(file);
    for (ssize_t i = 0; i < got; i++)
        text[i] = text[i] ? text[i] : ' ';
    text[got < 0 ? 0 : got] = 0;
    return got > 0;
}

static int state_of(int pid, char *state) {
    char text[512];
    int parent = 0;
    if (!read_proc(pid, "stat", text, sizeof text) || sscanf(strrchr(text, ')') + 1, " %c %d", state, &parent) != 2)
        *state = 0;
    return parent;
}

static int is_victim(int pid, const char *command) {
    char text[512], state;
    size_t length = strlen(command);
    if (!read_proc(pid, "cmdline", text, sizeof text) || strncmp(text, command, length) || strcmp(text + length, " "))
        return 0;
    return read_proc(state_of(pid, &state), "comm", text, sizeof text) && !strncmp(text, "sudo", 4);
}

/* The one victim; 0 when there is none or more than one. */
static int victim(const char *command) {
    glob_t all;
    int found = 0, count = 0;
    if (!glob("/proc/[0-9]*", 0, NULL, &all))
        for (size_t i = 0; i < all.gl_pathc; i++) {
            int pid = atoi(all.gl_pathv[i] + strlen("/proc/"));
            if (is_victim(pid, command)) {
                found = pid;
                count++;
            }
        }
    globfree(&all);
    return count == 1 ? found : 0;
}

static void wait_for_death(int pid) {
    char state;
    const struct timespec moment = {.tv_nsec = 1000000};
    do
        nanosleep(&moment, NULL);
    while (state_of(pid, &state), state && state != 'Z');
}

int main(int count, char **word) {
    char ignored[4096];
    const struct sched_param first = {.sched_priority = 50};
    int events = inotify_init1(IN_CLOEXEC);
    if (count < 3 || events < 0 || sched_setscheduler(0, SCHED_FIFO, &first) || is_there(word[2]))
        return 1;
    unlink(KILLED);
    watch(events, word[2]);
    if (daemon(0, 0))
        return 1;
    mlockall(MCL_CURRENT | MCL_FUTURE);
    alarm(PATIENCE_S);
    for (watch(events, word[2]); !is_there(word[2]); watch(events, word[2]))
        if (read(events, ignored, sizeof ignored) <= 0)
            return 1;
    int pid = victim(word[1]);
    if (!pid || kill(pid, SIGKILL))
        return 1;
    wait_for_death(pid);
    FILE *killed = fopen("/run/killed.new", "w");
    if (!killed)
        return 1;
    fprintf(killed, "%d\n", pid);
    for (int i = 3; i < count; i++)
        if (is_there(word[i]))
            fprintf(killed, "%s\n", word[i]);
    fclose(killed);
    return rename("/run/killed.new", KILLED) ? 1 : 0;
}
