/* Counts the file calls of a command below one folder, over all its processes, and has the n-th
 * one fail, be cut short, or be the last thing that any of them does. Loaded with LD_PRELOAD;
 * `tests/support/faulting.py` builds it and says what it is to do, by these variables:
 *
 *   FAULT_STATE   a file of FAULT_BYTES bytes, mapped by every process: the counters, then the trace
 *   FAULT_FOLDER  calls on paths below it count
 *   FAULT_EXCEPT  but for those below this one
 *   FAULT_CALLS   which calls count: `writes`, `opens`, `reads`, or `data` (those that write bytes)
 *   FAULT_ACT     `count`, `before` and `after` (kill there), `error`, `short`
 *   FAULT_AT      at which call, from 0 on
 *   FAULT_ERRNO   with what it fails
 *   FAULT_GOOD    set: and so does every later one
 *   FAULT_OUTPUT  a file; what is written to it is in the trace too, and never counts
 *   FAULT_TRACE   set: every call on files below the folder goes into the trace
 *
 * A line of the trace: begun, ended, pid, call, result, device:inode, path, second path; by tabs.
 * Begun and ended are moments of one clock, which counts calls of all processes.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define LONGEST (PATH_MAX + 64)

struct state {
    _Atomic uint64_t calls[4]; /* so far, of each class */
    _Atomic uint64_t fired;  /* how often anything was done to one */
    _Atomic uint64_t dead;   /* set once everything is to stand still */
    _Atomic uint64_t clock;
    _Atomic uint64_t traced; /* bytes of the trace */
    _Atomic uint64_t leader; /* the first process, which leads the session */
    char call[64];           /* what was hit first, and on which path */
    char path[LONGEST];
};

enum act { COUNT, BEFORE, AFTER, ERROR, SHORT };
enum { WRITES = 1, OPENS = 2, READS = 4, DATA = 8 }; /* the order of state.calls */
enum todo { GO, REFUSE, CUT, GO_AND_DIE };

static struct state *state;
static char *trace;
static uint64_t room; /* bytes of the trace */
static char folder[PATH_MAX], except[PATH_MAX], output[PATH_MAX];
static enum act act;
static int classes, error_number, for_good, tracing;
static long long at = -1;

static void load_path(const char *name, char *into) {
    const char *value = getenv(name);
    if (value != NULL && strlen(value) < PATH_MAX) strcpy(into, value);
}

static int is(const char *value, const char *word) { return value && strcmp(value, word) == 0; }

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("FAULT_STATE"), *bytes = getenv("FAULT_BYTES");
    const char *what = getenv("FAULT_ACT"), *which = getenv("FAULT_CALLS");
    if (path == NULL || bytes == NULL) return;
    size_t size = strtoull(bytes, NULL, 10);
    int fd = syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
    if (fd < 0) return;
    void *mapped = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    syscall(SYS_close, fd);
    if (mapped == MAP_FAILED) return;
    load_path("FAULT_FOLDER", folder);
    load_path("FAULT_EXCEPT", except);
    load_path("FAULT_OUTPUT", output);
    act = is(what, "before") ? BEFORE : is(what, "after") ? AFTER : is(what, "error") ? ERROR
        : is(what, "short") ? SHORT : COUNT;
    classes = is(which, "opens") ? OPENS : is(which, "reads") ? READS
        : is(which, "data") ? DATA : WRITES;
    if (getenv("FAULT_AT")) at = atoll(getenv("FAULT_AT"));
    if (getenv("FAULT_ERRNO")) error_number = atoi(getenv("FAULT_ERRNO"));
    for_good = getenv("FAULT_GOOD") != NULL;
    tracing = getenv("FAULT_TRACE") != NULL;
    trace = (char *)mapped + sizeof(struct state);
    room = size - sizeof(struct state);
    state = mapped;
    uint64_t none = 0;
    atomic_compare_exchange_strong(&state->leader, &none, (uint64_t)getpid());
}

static int below(const char *path, const char *place) {
    size_t length = strlen(place);
    return length && strncmp(path, place, length) == 0
        && (path[length] == '/' || path[length] == 0);
}

static int matters(const char *path) {
    return path[0] && below(path, folder) && !below(path, except);
}

/* The absolute path of what an fd is, as the kernel has it now; empty for pipes and the like. */
static void path_of(int fd, char *into) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, into, PATH_MAX - 1);
    into[length < 0 ? 0 : length] = 0;
    static const char deleted[] = " (deleted)";
    size_t tail = sizeof deleted - 1;
    if (length > (ssize_t)tail && strcmp(into + length - tail, deleted) == 0)
        into[length - tail] = 0;
    if (into[0] != '/') into[0] = 0;
}

static void absolute(int dirfd, const char *path, char *into) {
    char start[PATH_MAX];
    into[0] = 0;
    if (path == NULL) return;
    if (path[0] == '/') {
        snprintf(into, PATH_MAX, "%s", path);
        return;
    }
    if (dirfd == AT_FDCWD) {
        if (syscall(SYS_getcwd, start, sizeof start) < 0) return;
    } else {
        path_of(dirfd, start);
    }
    while (path[0] == '.' && path[1] == '/') path += 2;
    if (strlen(start) + strlen(path) + 2 < PATH_MAX) {
        strcpy(into, start);
        strcat(into, "/");
        strcat(into, path);
    }
}

static void die(void) {
    atomic_store(&state->dead, 1);
    pid_t session = getsid(0), self = getpid();
    if ((uint64_t)session == atomic_load(&state->leader)) {
        char buffer[4096];
        int fd = syscall(SYS_openat, AT_FDCWD, "/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        long got;
        while (fd >= 0 && (got = syscall(SYS_getdents64, fd, buffer, sizeof buffer)) > 0) {
            for (long place = 0; place < got;) {
                struct { uint64_t inode; int64_t next; uint16_t size; uint8_t kind; char name[]; }
                    *entry = (void *)(buffer + place);
                pid_t pid = atoi(entry->name);
                if (pid > 0 && pid != self && getsid(pid) == session) kill(pid, SIGKILL);
                place += entry->size;
            }
        }
    }
    kill(self, SIGKILL);
    for (;;) pause();
}

static enum todo decide(int class, const char *call, const char *path) {
    if (state == NULL) return GO;
    while (atomic_load(&state->dead)) pause();
    if (!matters(path)) return GO;
    for (int one = 0; one < 4; one++)
        if (class & (1 << one) & ~classes) atomic_fetch_add(&state->calls[one], 1);
    if (!(class & classes)) return GO;
    int which = classes == WRITES ? 0 : classes == OPENS ? 1 : classes == READS ? 2 : 3;
    long long number = atomic_fetch_add(&state->calls[which], 1);
    if (act == COUNT || number < at || (number > at && !for_good)) return GO;
    if (act == SHORT && !(class & DATA)) return GO;
    if (atomic_fetch_add(&state->fired, 1) == 0) {
        snprintf(state->call, sizeof state->call, "%s", call);
        snprintf(state->path, sizeof state->path, "%s", path);
    }
    switch (act) {
    case BEFORE: die(); return GO;
    case AFTER: return GO_AND_DIE;
    case ERROR: errno = error_number; return REFUSE;
    default: return CUT;
    }
}

static uint64_t now(void) { return state && tracing ? atomic_fetch_add(&state->clock, 1) : 0; }

static void note(uint64_t begun, const char *call, long long result, const struct stat *found,
                 const char *path, const char *second) {
    if (state == NULL || !tracing) return;
    int kept = errno;
    char line[3 * LONGEST];
    int length = snprintf(line, sizeof line, "%llu\t%llu\t%d\t%s\t%lld\t%llu:%llu\t%s\t%s\n",
        (unsigned long long)begun, (unsigned long long)now(), (int)getpid(), call, result,
        found ? (unsigned long long)found->st_dev : 0ULL,
        found ? (unsigned long long)found->st_ino : 0ULL, path, second ? second : "");
    uint64_t place = atomic_fetch_add(&state->traced, (uint64_t)length);
    if (place + (uint64_t)length <= room) memcpy(trace + place, line, (size_t)length);
    errno = kept;
}

static const struct stat *look(int fd, struct stat *into) {
    return syscall(SYS_newfstatat, fd, "", into, AT_EMPTY_PATH) == 0 ? into : NULL;
}

static const struct stat *look_at(const char *path, struct stat *into) {
    long done = syscall(SYS_newfstatat, AT_FDCWD, path, into, AT_SYMLINK_NOFOLLOW);
    return done == 0 ? into : NULL;
}

#define REAL(name) ({ \
    static __typeof__(&name) real; \
    if (real == NULL) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name); \
    real; })

/* A call on an fd. */
#define ON_FD(class, name, fd, failed, perform, cut) \
    char path[PATH_MAX]; \
    int kept = errno; \
    path[0] = 0; \
    if (state != NULL) path_of(fd, path); \
    errno = kept; \
    uint64_t begun = now(); \
    enum todo todo = decide(class, #name, path); \
    if (todo == REFUSE) return failed; \
    __auto_type result = (todo == CUT) ? (cut) : (perform); \
    if (tracing && ((class) & WRITES) && (matters(path) || (output[0] && strcmp(path, output) == 0))) { \
        struct stat found; \
        kept = errno; \
        const struct stat *seen = look(fd, &found); \
        errno = kept; \
        note(begun, #name, (long long)result, seen, path, NULL); \
    } \
    if (todo == GO_AND_DIE) die(); \
    return result;

/* A call on one path. What it was is looked at before the call, or after it for what is made. */
#define ON_PATH(class, name, dirfd, given, after, perform) \
    char path[PATH_MAX]; \
    int kept = errno; \
    path[0] = 0; \
    if (state != NULL) absolute(dirfd, given, path); \
    struct stat found; \
    const struct stat *seen = NULL; \
    int traced = tracing && ((class) & WRITES) && matters(path); \
    if (traced && !after) seen = look_at(path, &found); \
    errno = kept; \
    uint64_t begun = now(); \
    if (decide_path(class, #name, path, &kept)) return -1; \
    __auto_type result = (perform); \
    if (traced) { \
        int mine = errno; \
        if (after) seen = look_at(path, &found); \
        errno = mine; \
        note(begun, #name, (long long)result, seen, path, NULL); \
    } \
    if (kept == GO_AND_DIE) die(); \
    return result;

static int decide_path(int class, const char *call, const char *path, int *todo) {
    enum todo what = decide(class, call, path);
    *todo = what;
    return what == REFUSE;
}

/* A call with an old and a new path. */
#define ON_PATHS(name, oldfd, old, newfd, new, perform) \
    char from[PATH_MAX], to[PATH_MAX]; \
    int kept = errno; \
    from[0] = to[0] = 0; \
    if (state != NULL) absolute(oldfd, old, from), absolute(newfd, new, to); \
    struct stat found; \
    const struct stat *seen = NULL; \
    int traced = tracing && (matters(from) || matters(to)); \
    if (traced) seen = look_at(from, &found); \
    errno = kept; \
    uint64_t begun = now(); \
    if (decide_path(WRITES, #name, matters(to) ? to : from, &kept)) return -1; \
    int result = (perform); \
    if (traced) note(begun, #name, result, seen, from, to); \
    if (kept == GO_AND_DIE) die(); \
    return result;

static int class_of(int flags) {
    int writes = (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC));
    return OPENS | (writes ? WRITES : READS);
}

#define MODE \
    mode_t mode = 0; \
    if (flags & (O_CREAT | __O_TMPFILE)) { \
        va_list rest; \
        va_start(rest, flags); \
        mode = va_arg(rest, mode_t); \
        va_end(rest); \
    }

int open(const char *given, int flags, ...) {
    MODE
    ON_PATH(class_of(flags), open, AT_FDCWD, given, 1, REAL(open)(given, flags, mode))
}
int open64(const char *given, int flags, ...) {
    MODE
    ON_PATH(class_of(flags), open, AT_FDCWD, given, 1, REAL(open64)(given, flags, mode))
}
int openat(int dirfd, const char *given, int flags, ...) {
    MODE
    ON_PATH(class_of(flags), open, dirfd, given, 1, REAL(openat)(dirfd, given, flags, mode))
}
int openat64(int dirfd, const char *given, int flags, ...) {
    MODE
    ON_PATH(class_of(flags), open, dirfd, given, 1, REAL(openat64)(dirfd, given, flags, mode))
}
int creat(const char *given, mode_t mode) {
    ON_PATH(OPENS | WRITES, creat, AT_FDCWD, given, 1, REAL(creat)(given, mode))
}
int creat64(const char *given, mode_t mode) {
    ON_PATH(OPENS | WRITES, creat, AT_FDCWD, given, 1, REAL(creat64)(given, mode))
}
int mkdir(const char *given, mode_t mode) {
    ON_PATH(WRITES, mkdir, AT_FDCWD, given, 1, REAL(mkdir)(given, mode))
}
int mkdirat(int dirfd, const char *given, mode_t mode) {
    ON_PATH(WRITES, mkdir, dirfd, given, 1, REAL(mkdirat)(dirfd, given, mode))
}
int unlink(const char *given) {
    ON_PATH(WRITES, unlink, AT_FDCWD, given, 0, REAL(unlink)(given))
}
int unlinkat(int dirfd, const char *given, int flags) {
    ON_PATH(WRITES, unlink, dirfd, given, 0, REAL(unlinkat)(dirfd, given, flags))
}
int remove(const char *given) {
    ON_PATH(WRITES, unlink, AT_FDCWD, given, 0, REAL(remove)(given))
}
int rmdir(const char *given) {
    ON_PATH(WRITES, rmdir, AT_FDCWD, given, 0, REAL(rmdir)(given))
}
int truncate(const char *given, off_t size) {
    ON_PATH(WRITES, truncate, AT_FDCWD, given, 0, REAL(truncate)(given, size))
}
int truncate64(const char *given, off64_t size) {
    ON_PATH(WRITES, truncate, AT_FDCWD, given, 0, REAL(truncate64)(given, size))
}
int chmod(const char *given, mode_t mode) {
    ON_PATH(WRITES, chmod, AT_FDCWD, given, 0, REAL(chmod)(given, mode))
}
int fchmodat(int dirfd, const char *given, mode_t mode, int flags) {
    ON_PATH(WRITES, chmod, dirfd, given, 0, REAL(fchmodat)(dirfd, given, mode, flags))
}
int symlink(const char *target, const char *given) {
    ON_PATH(WRITES, symlink, AT_FDCWD, given, 1, REAL(symlink)(target, given))
}
int symlinkat(const char *target, int dirfd, const char *given) {
    ON_PATH(WRITES, symlink, dirfd, given, 1, REAL(symlinkat)(target, dirfd, given))
}
int rename(const char *old, const char *new) {
    ON_PATHS(rename, AT_FDCWD, old, AT_FDCWD, new, REAL(rename)(old, new))
}
int renameat(int oldfd, const char *old, int newfd, const char *new) {
    ON_PATHS(rename, oldfd, old, newfd, new, REAL(renameat)(oldfd, old, newfd, new))
}
int renameat2(int oldfd, const char *old, int newfd, const char *new, unsigned flags) {
    ON_PATHS(rename, oldfd, old, newfd, new, REAL(renameat2)(oldfd, old, newfd, new, flags))
}
int link(const char *old, const char *new) {
    ON_PATHS(link, AT_FDCWD, old, AT_FDCWD, new, REAL(link)(old, new))
}
int linkat(int oldfd, const char *old, int newfd, const char *new, int flags) {
    ON_PATHS(link, oldfd, old, newfd, new, REAL(linkat)(oldfd, old, newfd, new, flags))
}

static size_t half(size_t size) { return size > 1 ? size / 2 : size; }

static ssize_t half_of(int fd, const struct iovec *parts, int count, off64_t offset, int flags) {
    size_t size = 0;
    for (int one = 0; one < count; one++) size += parts[one].iov_len;
    size = half(size);
    struct iovec kept[IOV_MAX];
    int used = 0;
    for (; used < count && size; used++) {
        kept[used] = parts[used];
        if (kept[used].iov_len > size) kept[used].iov_len = size;
        size -= kept[used].iov_len;
    }
    if (offset < 0) return REAL(writev)(fd, kept, used);
    return REAL(pwritev2)(fd, kept, used, offset, flags);
}

ssize_t write(int fd, const void *data, size_t size) {
    ON_FD(WRITES | DATA, write, fd, -1, REAL(write)(fd, data, size),
          REAL(write)(fd, data, half(size)))
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
    ON_FD(WRITES | DATA, pwrite, fd, -1, REAL(pwrite)(fd, data, size, offset),
          REAL(pwrite)(fd, data, half(size), offset))
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) {
    ON_FD(WRITES | DATA, pwrite, fd, -1, REAL(pwrite64)(fd, data, size, offset),
          REAL(pwrite64)(fd, data, half(size), offset))
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
    ON_FD(WRITES | DATA, writev, fd, -1, REAL(writev)(fd, parts, count),
          half_of(fd, parts, count, -1, 0))
}
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
    ON_FD(WRITES | DATA, pwritev, fd, -1, REAL(pwritev)(fd, parts, count, offset),
          half_of(fd, parts, count, offset, 0))
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset) {
    ON_FD(WRITES | DATA, pwritev, fd, -1, REAL(pwritev64)(fd, parts, count, offset),
          half_of(fd, parts, count, offset, 0))
}
ssize_t pwritev2(int fd, const struct iovec *parts, int count, off_t offset, int flags) {
    ON_FD(WRITES | DATA, pwritev, fd, -1, REAL(pwritev2)(fd, parts, count, offset, flags),
          half_of(fd, parts, count, offset, flags))
}
ssize_t pwritev64v2(int fd, const struct iovec *parts, int count, off64_t offset, int flags) {
    ON_FD(WRITES | DATA, pwritev, fd, -1, REAL(pwritev64v2)(fd, parts, count, offset, flags),
          half_of(fd, parts, count, offset, flags))
}
ssize_t copy_file_range(int in, off64_t *in_at, int fd, off64_t *out_at, size_t size,
                        unsigned flags) {
    ON_FD(WRITES | DATA, copy_file_range, fd, -1,
          REAL(copy_file_range)(in, in_at, fd, out_at, size, flags),
          REAL(copy_file_range)(in, in_at, fd, out_at, half(size), flags))
}
ssize_t sendfile(int fd, int in, off_t *in_at, size_t size) {
    ON_FD(WRITES | DATA, sendfile, fd, -1, REAL(sendfile)(fd, in, in_at, size),
          REAL(sendfile)(fd, in, in_at, half(size)))
}
ssize_t sendfile64(int fd, int in, off64_t *in_at, size_t size) {
    ON_FD(WRITES | DATA, sendfile, fd, -1, REAL(sendfile64)(fd, in, in_at, size),
          REAL(sendfile64)(fd, in, in_at, half(size)))
}
#define WHOLE(name, fd, perform) ON_FD(WRITES, name, fd, -1, perform, perform)
int ftruncate(int fd, off_t size) { WHOLE(ftruncate, fd, REAL(ftruncate)(fd, size)) }
int ftruncate64(int fd, off64_t size) { WHOLE(ftruncate, fd, REAL(ftruncate64)(fd, size)) }
int fallocate(int fd, int how, off_t start, off_t size) {
    WHOLE(fallocate, fd, REAL(fallocate)(fd, how, start, size))
}
int fallocate64(int fd, int how, off64_t start, off64_t size) {
    WHOLE(fallocate, fd, REAL(fallocate64)(fd, how, start, size))
}
int posix_fallocate(int fd, off_t start, off_t size) {
    ON_FD(WRITES, fallocate, fd, errno, REAL(posix_fallocate)(fd, start, size),
          REAL(posix_fallocate)(fd, start, size))
}
int posix_fallocate64(int fd, off64_t start, off64_t size) {
    ON_FD(WRITES, fallocate, fd, errno, REAL(posix_fallocate64)(fd, start, size),
          REAL(posix_fallocate64)(fd, start, size))
}
int fsync(int fd) { WHOLE(fsync, fd, REAL(fsync)(fd)) }
int fdatasync(int fd) { WHOLE(fdatasync, fd, REAL(fdatasync)(fd)) }
int fchmod(int fd, mode_t mode) { WHOLE(fchmod, fd, REAL(fchmod)(fd, mode)) }

/* Reading. */
#define READING(name, fd, failed, perform) ON_FD(READS, name, fd, failed, perform, perform)
ssize_t read(int fd, void *into, size_t size) { READING(read, fd, -1, REAL(read)(fd, into, size)) }
ssize_t pread(int fd, void *into, size_t size, off_t offset) {
    READING(pread, fd, -1, REAL(pread)(fd, into, size, offset))
}
ssize_t pread64(int fd, void *into, size_t size, off64_t offset) {
    READING(pread, fd, -1, REAL(pread64)(fd, into, size, offset))
}
ssize_t preadv(int fd, const struct iovec *parts, int count, off_t offset) {
    READING(preadv, fd, -1, REAL(preadv)(fd, parts, count, offset))
}
ssize_t preadv64(int fd, const struct iovec *parts, int count, off64_t offset) {
    READING(preadv, fd, -1, REAL(preadv64)(fd, parts, count, offset))
}
struct dirent *readdir(DIR *stream) {
    READING(readdir, dirfd(stream), NULL, REAL(readdir)(stream))
}
struct dirent64 *readdir64(DIR *stream) {
    READING(readdir, dirfd(stream), NULL, REAL(readdir64)(stream))
}
void *mmap(void *place, size_t size, int protection, int flags, int fd, off_t offset) {
    if (fd < 0 || state == NULL)
        return (void *)syscall(SYS_mmap, place, size, protection, flags, fd, offset);
    READING(mmap, fd, MAP_FAILED, REAL(mmap)(place, size, protection, flags, fd, offset))
}
void *mmap64(void *place, size_t size, int protection, int flags, int fd, off64_t offset) {
    if (fd < 0 || state == NULL)
        return (void *)syscall(SYS_mmap, place, size, protection, flags, fd, offset);
    READING(mmap, fd, MAP_FAILED, REAL(mmap64)(place, size, protection, flags, fd, offset))
}
DIR *opendir(const char *given) {
    char path[PATH_MAX];
    path[0] = 0;
    if (state != NULL) absolute(AT_FDCWD, given, path);
    if (decide(READS | OPENS, "opendir", path) == REFUSE) return NULL;
    return REAL(opendir)(given);
}
int stat(const char *given, struct stat *into) {
    ON_PATH(READS, stat, AT_FDCWD, given, 1, REAL(stat)(given, into))
}
int stat64(const char *given, struct stat64 *into) {
    ON_PATH(READS, stat, AT_FDCWD, given, 1, REAL(stat64)(given, into))
}
int lstat(const char *given, struct stat *into) {
    ON_PATH(READS, stat, AT_FDCWD, given, 1, REAL(lstat)(given, into))
}
int lstat64(const char *given, struct stat64 *into) {
    ON_PATH(READS, stat, AT_FDCWD, given, 1, REAL(lstat64)(given, into))
}
