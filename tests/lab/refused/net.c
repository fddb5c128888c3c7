/* net MODE PORT N: uses up what the network stack has. deaf (accepts, never reads), noaccept (a backlog of N, else 4), fill and orphan (N
 * connections, each sent to until nothing more is taken; orphan closes them then), dial (keeps N connections, tries again),
 * short (N connections, closed at once), udp (receivers that never read). */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static struct sockaddr_in there = {.sin_family = AF_INET};
static char bytes[16384];

static int listener(int backlog)
{
    int made = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(made, (struct sockaddr *)&there, sizeof there) || listen(made, backlog))
        printf("listen errno %d\n", errno);
    return made;
}

/* A connection, or -1; the kernel waits for 3 s as longest, as SO_SNDTIMEO holds for connect too. */
static int dial(void)
{
    struct timeval limit = {3, 0};
    int made = socket(AF_INET, SOCK_STREAM, 0);
    if (made < 0)
        return -1;
    setsockopt(made, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (!connect(made, (struct sockaddr *)&there, sizeof there))
        return made;
    int failure = errno;
    close(made);
    errno = failure;
    return -1;
}

static void *dial_until_made(void *unused)
{
    while (dial() < 0) {
        printf("connect errno %d %s\n", errno, strerror(errno));
        fflush(stdout);
        sleep(1);
    }
    return unused;
}

static int fill(void)
{
    int made = dial();
    if (made < 0) {
        printf("connect errno %d\n", errno);
        return -1;
    }
    for (int i = 0; i < 256; i++)
        if (send(made, bytes, sizeof bytes, MSG_DONTWAIT) < 0)
            break;
    return made;
}

static void flood(void)
{
    struct sockaddr_in at[20];
    int sender = socket(AF_INET, SOCK_DGRAM, 0);
    for (int i = 0; i < 20; i++) {
        socklen_t size = sizeof at[i];
        int receiver = socket(AF_INET, SOCK_DGRAM, 0);
        at[i] = there;
        at[i].sin_port = 0;
        bind(receiver, (struct sockaddr *)&at[i], size);
        getsockname(receiver, (struct sockaddr *)&at[i], &size);
    }
    for (;; sleep(1))
        for (int i = 0; i < 20; i++)
            for (int j = 0; j < 100; j++)
                sendto(sender, bytes, 1000, 0, (struct sockaddr *)&at[i], sizeof at[i]);
}

int main(int count, char **words)
{
    const char *mode = count > 1 ? words[1] : "";
    int wanted = count > 3 ? atoi(words[3]) : 0, made[4096];
    pthread_t thread;
    there.sin_port = htons(count > 2 ? atoi(words[2]) : 0);
    there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (!strcmp(mode, "deaf"))
        for (int server = listener(500);;)
            accept(server, 0, 0);
    else if (!strcmp(mode, "noaccept"))
        listener(wanted ? wanted : 4);
    else if (!strcmp(mode, "udp"))
        flood();
    else if (!strcmp(mode, "dial"))
        for (int i = 0; i < wanted; i++)
            pthread_create(&thread, 0, dial_until_made, 0);
    else if (!strcmp(mode, "short"))
        for (int i = 0; i < wanted; i++)
            close(dial());
    else {
        for (int i = 0; i < wanted && i < 4096; i++)
            made[i] = fill();
        printf("filled %d\n", wanted);
        for (int i = 0; i < wanted && i < 4096 && !strcmp(mode, "orphan"); i++)
            close(made[i]);
    }
    fflush(stdout);
    sleep(900);
    return 0;
}
