/* The whole initial ramdisk: load the few modules, give eth0 its address, mount the disk, become systemd.
 * With `lab.probe` on the kernel command line it only says that a program ran, and powers off. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/route.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void load_modules(void) {
    char path[128];
    FILE *list = fopen("/modules", "r");
    while (list && fscanf(list, "%127s", path) == 1) {
        int file = open(path, O_RDONLY | O_CLOEXEC);
        if (file < 0 || (syscall(SYS_finit_module, file, "", 0) && errno != EEXIST))
            printf("lab: %s: %s\n", path, strerror(errno));
        if (file >= 0)
            close(file);
        unlink(path);
    }
    if (list)
        fclose(list);
}

static struct sockaddr address(const char *text) {
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr out;
    inet_pton(AF_INET, text, &in.sin_addr);
    memcpy(&out, &in, sizeof out);
    return out;
}

/* The fixed addresses of QEMU's user-mode network. */
static void configure_network(void) {
    int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq card = {.ifr_name = "lo"};
    card.ifr_flags = IFF_UP;
    ioctl(control, SIOCSIFFLAGS, &card);
    strcpy(card.ifr_name, "eth0");
    card.ifr_addr = address("10.0.2.15");
    int failed = ioctl(control, SIOCSIFADDR, &card);
    card.ifr_netmask = address("255.255.255.0");
    failed |= ioctl(control, SIOCSIFNETMASK, &card);
    card.ifr_flags = IFF_UP;
    failed |= ioctl(control, SIOCSIFFLAGS, &card);
    struct rtentry route = {.rt_flags = RTF_UP | RTF_GATEWAY};
    route.rt_dst = address("0.0.0.0");
    route.rt_genmask = address("0.0.0.0");
    route.rt_gateway = address("10.0.2.2");
    failed |= ioctl(control, SIOCADDRT, &route);
    if (failed)
        printf("lab: eth0: %s\n", strerror(errno));
    close(control);
}

int main(void) {
    char command_line[2048] = "";
    mount("proc", "/proc", "proc", 0, NULL);
    FILE *file = fopen("/proc/cmdline", "r");
    if (file && fgets(command_line, sizeof command_line, file) && strstr(command_line, "lab.probe")) {
        printf("lab: a program ran\n");
        fflush(stdout);
        reboot(RB_POWER_OFF);
    }
    if (file)
        fclose(file);
    mount("dev", "/dev", "devtmpfs", 0, NULL);
    load_modules();
    configure_network();
    for (int tries = 0; mount("/dev/vda", "/disk", "ext4", MS_NOATIME, NULL); tries++) {
        if (tries == 100) {
            printf("lab: /dev/vda: %s\n", strerror(errno));
            reboot(RB_POWER_OFF);
        }
        usleep(100000);
    }
    mount("/dev", "/disk/dev", NULL, MS_MOVE, NULL);
    umount("/proc");
    unlink("/init");
    if (chdir("/disk") || mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/"))
        printf("lab: switch: %s\n", strerror(errno));
    execl("/lib/systemd/systemd", "systemd", (char *)NULL);
    printf("lab: systemd: %s\n", strerror(errno));
    reboot(RB_POWER_OFF);
}
