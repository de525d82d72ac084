/* Lets one call to the disk fail, or every one from there on: preloaded into tests/proofs/fault_refusals.py.
 *
 * Only files below the folder named by REFUSING_ROOT count. In C because SQLite and Arrow call the C library themselves.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

enum { WRITES, SYNCS };

static long calls[2], first[2], last[2];

/* From now on, let calls number `from` to `to` of this kind fail, counted from 1; none when `from` is 0. */
void refusing_arm(int kind, long from, long to) {
  calls[kind] = 0;
  first[kind] = from;
  last[kind] = to;
}

long refusing_calls(int kind) { return calls[kind]; }

static int refused(int kind, int fd) {
  static const char *root;
  char link[40], path[PATH_MAX];
  if (root == NULL && (root = getenv("REFUSING_ROOT")) == NULL) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0 || strncmp(path, root, strlen(root)) != 0) return 0;
  long call = __atomic_add_fetch(&calls[kind], 1, __ATOMIC_SEQ_CST);
  if (first[kind] == 0 || call < first[kind] || call > last[kind]) return 0;
  errno = kind == WRITES ? ENOSPC : EIO;
  return 1;
}

#define REAL(name) \
  static __typeof__(&name) real; \
  if (real == NULL) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

ssize_t write(int fd, const void *data, size_t size) {
  REAL(write);
  return refused(WRITES, fd) ? -1 : real(fd, data, size);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
  REAL(pwrite);
  return refused(WRITES, fd) ? -1 : real(fd, data, size, at);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
  REAL(pwrite64);
  return refused(WRITES, fd) ? -1 : real(fd, data, size, at);
}

int fsync(int fd) {
  REAL(fsync);
  return refused(SYNCS, fd) ? -1 : real(fd);
}

int fdatasync(int fd) {
  REAL(fdatasync);
  return refused(SYNCS, fd) ? -1 : real(fd);
}
