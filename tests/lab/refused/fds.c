/* fds MODE N: holds open files until it is refused, tries again every 3 s, and says so. MODE: null (one file again and again), deleted
 * (files without a name), high (one descriptor, numbered N), select (N files, the last given to select), or watch (N inotify
 * instances, then as many watches as a third argument says). SIGUSR1 has it close three of them and ask for no more. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <unistd.h>

static volatile sig_atomic_t is_content;

static void be_content(int number)
{
    is_content = number;
}

static int one(const char *mode, long number, long wanted)
{
    char path[64];
    int made = open("/dev/null", O_RDONLY);
    if (!strcmp(mode, "deleted")) {
        close(made);
        snprintf(path, sizeof path, "/tmp/acme-%ld.tmp", number);
        made = open(path, O_CREAT | O_RDWR, 0600);
        if (made >= 0)
            unlink(path);
    } else if (!strcmp(mode, "high") && made >= 0)
        made = dup2(made, (int)wanted);
    return made;
}

static void watch(long instances, long watches)
{
    char path[64];
    int first = -1;
    for (long i = 0; i < instances; i++) {
        int made = inotify_init1(0);
        if (made < 0) {
            printf("inotify_init1: errno %d after %ld\n", errno, i);
            break;
        }
        first = first < 0 ? made : first;
    }
    mkdir("/tmp/watched", 0755);
    for (long i = 0; i < watches; i++) {
        snprintf(path, sizeof path, "/tmp/watched/%ld", i);
        close(open(path, O_CREAT | O_WRONLY, 0600));
        if (inotify_add_watch(first, path, IN_ALL_EVENTS) < 0) {
            printf("inotify_add_watch: errno %d after %ld\n", errno, i);
            break;
        }
    }
    fflush(stdout);
    sleep(600);
}

int main(int count, char **words)
{
    const char *mode = count > 1 ? words[1] : "";
    long wanted = count > 2 ? strtol(words[2], 0, 10) : 0, held = 0, last = 0;
    if (!strcmp(mode, "watch"))
        watch(wanted, count > 3 ? strtol(words[3], 0, 10) : 0);
    signal(SIGUSR1, be_content);
    while (strcmp(mode, "watch")) {
        if (is_content) {
            for (int i = 0; i < 3; i++)
                close((int)last - i);
            for (;;)
                pause();
        }
        int made = 0;
        while (held < (strcmp(mode, "high") ? wanted : 1) && (made = one(mode, held, wanted)) >= 0) {
            last = made;
            held++;
        }
        if (made < 0)
            printf("open failed: errno %d holding %ld\n", errno, held);
        else if (!strcmp(mode, "select") && last >= FD_SETSIZE)
            printf("filedescriptor %ld out of range in select()\n", last);
        else
            printf("holding %ld\n", held);
        fflush(stdout);
        sleep(made < 0 ? 3 : 600);
    }
    return 0;
}
