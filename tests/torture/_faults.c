/* Counts what a process does to the files below a folder, and lets the N-th such call fail as on a full disk, or kills there.

It is loaded before libc (LD_PRELOAD), so that it stands before every library: Python, NumPy, Arrow, HDF5, libsndfile. It does
nothing until `torture_begin`. Calls: those that make, write, flush or rename a file or folder. What libc writes for itself
(the buffers of a FILE) is seen where it is given to fwrite. Told to note reading, it also names every file and folder that is
opened, asked for, listed or removed, and every program that is started. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sendfile.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum action { NOTHING, COUNT, FAIL_ONCE, FAIL_FROM_HERE, KILL, READ };

/* Shared with the process that watches: see _faults.py. */
struct shared {
    long count;
    char call[4096];
    long used;
    char calls[1 << 22]; /* all of them, while they are counted */
};

static struct shared *shared;
static enum action action = NOTHING;
static long at;
static char root[4096];

void torture_begin(struct shared *memory, const char *folder, int what, long number) {
    shared = memory;
    snprintf(root, sizeof root, "%s", folder);
    at = number;
    action = what;
}

static int is_below(const char *path) {
    size_t length = strlen(root);
    return !strncmp(path, root, length) && (path[length] == '/' || !path[length]);
}

/* Return whether a call fails. needs_space: a full disk stops it, not only a broken one. */
static int fails(const char *call, const char *path, int needs_space) {
    if (action == NOTHING || !is_below(path)) return 0;
    long number = __atomic_add_fetch(&shared->count, 1, __ATOMIC_SEQ_CST);
    if (action == COUNT || action == READ) {
        long size = strlen(call) + strlen(path) + 2, place = __atomic_fetch_add(&shared->used, size, __ATOMIC_SEQ_CST);
        if (place + size < (long)sizeof shared->calls) sprintf(shared->calls + place, "%s %s", call, path);
    }
    if (number == at) snprintf(shared->call, sizeof shared->call, "%s %s", call, path);
    if (number == at && action == KILL) kill(0, SIGKILL);
    if ((number == at && action == FAIL_ONCE) || (number >= at && action == FAIL_FROM_HERE && needs_space)) {
        errno = ENOSPC;
        return 1;
    }
    return 0;
}

static int fails_open(const char *call, int descriptor, int needs_space) {
    char name[64], path[4096];
    if (action == NOTHING) return 0;
    int before = errno;
    snprintf(name, sizeof name, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(name, path, sizeof path - 1);
    errno = before;
    if (length < 0) return 0;
    path[length] = 0;
    return fails(call, path, needs_space);
}

static int fails_named(const char *call, int folder, const char *name, int needs_space) {
    char path[8192], place[64];
    if (action == NOTHING || !name) return 0;
    if (name[0] == '/') return fails(call, name, needs_space);
    int before = errno;
    ssize_t length = 0;
    if (folder == AT_FDCWD) {
        if (getcwd(path, 4096)) length = strlen(path);
    } else {
        snprintf(place, sizeof place, "/proc/self/fd/%d", folder);
        length = readlink(place, path, 4096);
    }
    errno = before;
    if (length <= 0) return 0;
    snprintf(path + length, sizeof path - length, "/%s", name);
    return fails(call, path, needs_space);
}

static void notes(const char *call, int folder, const char *path) {
    if (action == READ) fails_named(call, folder, path, 0);
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define ON_DESCRIPTOR(type, name, needs_space, parameters, arguments) \
    type name parameters { return fails_open(#name, descriptor, needs_space) ? -1 : NEXT(name) arguments; }
ON_DESCRIPTOR(ssize_t, write, 1, (int descriptor, const void *from, size_t size), (descriptor, from, size))
ON_DESCRIPTOR(ssize_t, pwrite, 1, (int descriptor, const void *from, size_t size, off_t place), (descriptor, from, size, place))
ON_DESCRIPTOR(ssize_t, pwrite64, 1, (int descriptor, const void *from, size_t size, off64_t place), (descriptor, from, size, place))
ON_DESCRIPTOR(ssize_t, writev, 1, (int descriptor, const struct iovec *from, int count), (descriptor, from, count))
ON_DESCRIPTOR(ssize_t, sendfile64, 1, (int descriptor, int from, off64_t *place, size_t size), (descriptor, from, place, size))
ON_DESCRIPTOR(ssize_t, sendfile, 1, (int descriptor, int from, off_t *place, size_t size), (descriptor, from, place, size))
ON_DESCRIPTOR(int, fsync, 0, (int descriptor), (descriptor))
ON_DESCRIPTOR(int, fdatasync, 0, (int descriptor), (descriptor))
ON_DESCRIPTOR(int, ftruncate, 1, (int descriptor, off_t size), (descriptor, size))
ON_DESCRIPTOR(int, ftruncate64, 1, (int descriptor, off64_t size), (descriptor, size))

size_t fwrite(const void *from, size_t size, size_t count, FILE *file) {
    return fails_open("fwrite", fileno(file), 1) ? 0 : NEXT(fwrite)(from, size, count, file);
}

#define ON_NAME(type, name, folder, path, needs_space, parameters, arguments) \
    type name parameters { return fails_named(#name, folder, path, needs_space) ? -1 : NEXT(name) arguments; }
ON_NAME(int, mkdir, AT_FDCWD, path, 1, (const char *path, mode_t mode), (path, mode))
ON_NAME(int, mkdirat, folder, path, 1, (int folder, const char *path, mode_t mode), (folder, path, mode))
#define FROM_NAME(type, name, from_folder, folder, needs_space, parameters, arguments) \
    type name parameters { \
        notes(#name, from_folder, from); \
        return fails_named(#name, folder, to, needs_space) ? -1 : NEXT(name) arguments; \
    }
FROM_NAME(int, rename, AT_FDCWD, AT_FDCWD, 0, (const char *from, const char *to), (from, to))
FROM_NAME(int, renameat, from_folder, folder, 0, (int from_folder, const char *from, int folder, const char *to), (from_folder, from, folder, to))
FROM_NAME(int, link, AT_FDCWD, AT_FDCWD, 1, (const char *from, const char *to), (from, to))
ON_NAME(int, symlink, AT_FDCWD, to, 1, (const char *from, const char *to), (from, to))

static int makes(int flags) { return (flags & (O_CREAT | O_TRUNC)) != 0; }

#define OPENING(name, folder, parameters, arguments) \
    int name parameters { \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = va_arg(rest, mode_t); \
        va_end(rest); \
        if (!makes(flags)) notes(#name, folder, path); \
        return makes(flags) && fails_named(#name, folder, path, 1) ? -1 : NEXT(name) arguments; \
    }
OPENING(open, AT_FDCWD, (const char *path, int flags, ...), (path, flags, mode))
OPENING(open64, AT_FDCWD, (const char *path, int flags, ...), (path, flags, mode))
OPENING(openat, folder, (int folder, const char *path, int flags, ...), (folder, path, flags, mode))
OPENING(openat64, folder, (int folder, const char *path, int flags, ...), (folder, path, flags, mode))

#define OPENING_FILE(name) \
    FILE *name(const char *path, const char *mode) { \
        if (mode[0] == 'r') notes(#name, AT_FDCWD, path); \
        return mode[0] != 'r' && fails_named(#name, AT_FDCWD, path, 1) ? NULL : NEXT(name)(path, mode); \
    }
OPENING_FILE(fopen)
OPENING_FILE(fopen64)

#define NOTED(type, name, folder, path, parameters, arguments) \
    type name parameters { \
        notes(#name, folder, path); \
        return NEXT(name) arguments; \
    }
NOTED(int, stat, AT_FDCWD, path, (const char *path, struct stat *to), (path, to))
NOTED(int, stat64, AT_FDCWD, path, (const char *path, struct stat64 *to), (path, to))
NOTED(int, lstat, AT_FDCWD, path, (const char *path, struct stat *to), (path, to))
NOTED(int, lstat64, AT_FDCWD, path, (const char *path, struct stat64 *to), (path, to))
NOTED(int, fstatat, folder, path, (int folder, const char *path, struct stat *to, int flags), (folder, path, to, flags))
NOTED(int, fstatat64, folder, path, (int folder, const char *path, struct stat64 *to, int flags), (folder, path, to, flags))
NOTED(int, statx, folder, path, (int folder, const char *path, int flags, unsigned mask, struct statx *to), (folder, path, flags, mask, to))
NOTED(int, __xstat, AT_FDCWD, path, (int version, const char *path, struct stat *to), (version, path, to))
NOTED(int, __xstat64, AT_FDCWD, path, (int version, const char *path, struct stat64 *to), (version, path, to))
NOTED(int, __lxstat, AT_FDCWD, path, (int version, const char *path, struct stat *to), (version, path, to))
NOTED(int, __lxstat64, AT_FDCWD, path, (int version, const char *path, struct stat64 *to), (version, path, to))
NOTED(int, __fxstatat, folder, path, (int version, int folder, const char *path, struct stat *to, int flags), (version, folder, path, to, flags))
NOTED(int, __fxstatat64, folder, path, (int version, int folder, const char *path, struct stat64 *to, int flags), (version, folder, path, to, flags))
NOTED(int, access, AT_FDCWD, path, (const char *path, int mode), (path, mode))
NOTED(int, faccessat, folder, path, (int folder, const char *path, int mode, int flags), (folder, path, mode, flags))
NOTED(ssize_t, readlink, AT_FDCWD, path, (const char *path, char *to, size_t size), (path, to, size))
NOTED(ssize_t, readlinkat, folder, path, (int folder, const char *path, char *to, size_t size), (folder, path, to, size))
NOTED(char *, realpath, AT_FDCWD, path, (const char *path, char *to), (path, to))
NOTED(int, unlink, AT_FDCWD, path, (const char *path), (path))
NOTED(int, unlinkat, folder, path, (int folder, const char *path, int flags), (folder, path, flags))
NOTED(int, rmdir, AT_FDCWD, path, (const char *path), (path))
NOTED(int, truncate, AT_FDCWD, path, (const char *path, off_t size), (path, size))
NOTED(int, truncate64, AT_FDCWD, path, (const char *path, off64_t size), (path, size))
NOTED(DIR *, opendir, AT_FDCWD, path, (const char *path), (path))

DIR *fdopendir(int descriptor) {
    if (action == READ) fails_open("fdopendir", descriptor, 0);
    return NEXT(fdopendir)(descriptor);
}

/* Another program notes what it reads in the same place, if it gets the variables that say where that is. */
#define NOTES "XVAL_TORTURE_NOTES"

static void __attribute__((constructor)) inherit(void) {
    const char *name = getenv(NOTES), *folder = getenv("XVAL_TORTURE_FOLDER");
    int descriptor = name && folder ? NEXT(open)(name, O_RDWR) : -1;
    if (descriptor < 0) return;
    void *memory = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    close(descriptor);
    if (memory != MAP_FAILED) torture_begin(memory, folder, READ, 0);
}

static void starts(char *const variables[]) {
    if (action != READ) return;
    for (; variables && *variables; variables++)
        if (!strncmp(*variables, NOTES "=", sizeof NOTES)) return;
    fails("exec", root, 0);
}

#define STARTS(name, variables, parameters, arguments) \
    int name parameters { \
        starts(variables); \
        return NEXT(name) arguments; \
    }
STARTS(execv, environ, (const char *path, char *const words[]), (path, words))
STARTS(execve, variables, (const char *path, char *const words[], char *const variables[]), (path, words, variables))
STARTS(execvp, environ, (const char *path, char *const words[]), (path, words))
STARTS(posix_spawn, variables, (pid_t *process, const char *path, const posix_spawn_file_actions_t *files, const posix_spawnattr_t *how, char *const words[], char *const variables[]), (process, path, files, how, words, variables))
STARTS(posix_spawnp, variables, (pid_t *process, const char *path, const posix_spawn_file_actions_t *files, const posix_spawnattr_t *how, char *const words[], char *const variables[]), (process, path, files, how, words, variables))
