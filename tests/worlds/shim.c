/* Preloaded into a run: a world in which the wall clock runs backwards, or in which no file can be locked. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static int real_clock(clockid_t id, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    return real(id, now);
}

/* The wall clock of all processes: WORLD_CLOCK names the monotonic second from which it runs backwards. */
int clock_gettime(clockid_t id, struct timespec *now) {
    int status = real_clock(id, now);
    const char *from = getenv("WORLD_CLOCK");
    if (from && id == CLOCK_REALTIME) {
        struct timespec steady;
        real_clock(CLOCK_MONOTONIC, &steady);
        double back = 2 * (steady.tv_sec + steady.tv_nsec / 1e9 - atof(from));
        double wall = now->tv_sec + now->tv_nsec / 1e9 - back;
        now->tv_sec = (time_t)wall;
        now->tv_nsec = (long)((wall - (double)now->tv_sec) * 1e9);
    }
    return status;
}

static int is_lock(int command) {
    return command == F_SETLK || command == F_SETLKW || command == F_GETLK || command == F_OFD_SETLK ||
           command == F_OFD_SETLKW || command == F_OFD_GETLK;
}

static int control(const char *name, int descriptor, int command, void *argument) {
    int (*real)(int, int, ...) = dlsym(RTLD_NEXT, name);
    if (getenv("WORLD_NO_LOCKS") && is_lock(command)) {
        errno = ENOLCK;
        return -1;
    }
    return real(descriptor, command, argument);
}

int fcntl(int descriptor, int command, ...) {
    va_list arguments;
    va_start(arguments, command);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    return control("fcntl", descriptor, command, argument);
}

int fcntl64(int descriptor, int command, ...) {
    va_list arguments;
    va_start(arguments, command);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    return control("fcntl64", descriptor, command, argument);
}

int flock(int descriptor, int operation) {
    static int (*real)(int, int);
    if (!real) real = dlsym(RTLD_NEXT, "flock");
    if (getenv("WORLD_NO_LOCKS")) {
        errno = ENOLCK;
        return -1;
    }
    return real(descriptor, operation);
}
