// SPDX-License-Identifier: GPL-2.0
/*
 * Helpers of the page-less DAX tests: environment and files; dax_test.h says
 * what each promises.  Trouble that is not a test's subject ends the process
 * with a message.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <linux/fiemap.h>
#include "kselftest.h"
#include "dax_test.h"

struct dax_env dax;

void dax_die(const char *fmt, ...)
{
	int err = errno;
	va_list args;

	va_start(args, fmt);
	fflush(stdout);
	fputs("# ", stderr);
	vfprintf(stderr, fmt, args);
	fprintf(stderr, ": %s\n", strerror(err));
	va_end(args);
	_exit(KSFT_FAIL);
}

/* The non-options of argv, past the options of kselftest_harness.h. */
static void read_paths(int argc, char **argv)
{
	const char *path[2] = { getenv("PAGELESS_DIR"), getenv("PAGELESS_OTHER") };
	int n = 0;

	optind = 1;
	while (getopt(argc, argv, "hlF:f:V:v:t:T:r:") != -1)
		;
	for (; optind < argc && n < 2; optind++)
		path[n++] = argv[optind];
	optind = 1;
	dax.dir = path[0];
	dax.other = path[1];
}

void dax_init(int argc, char **argv)
{
	const char *kind = getenv("PAGELESS_KIND"), *no_check = getenv("PAGELESS_NO_DAX_CHECK");

	dax.check = !no_check || *no_check != '1';
	dax.gup_errno = kind && !strcmp(kind, "pageless") ? EFAULT : 0;
	if (kind && strcmp(kind, "pageless") && strcmp(kind, "pages"))
		ksft_exit_fail_msg("PAGELESS_KIND is pageless or pages, not %s\n", kind);
	read_paths(argc, argv);
	if (!dax.dir)
		ksft_exit_skip("no directory to test: PROGRAM DIR [OTHER]\n");
	close(dax_create_hole(0));
}

/* Files */

int dax_tmpfile(const char *dir)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/pageless.XXXXXX", dir);
	fd = mkstemp(path);
	if (fd < 0 || (!dax.keep && unlink(path)))
		dax_die("create %s", path);
	return fd;
}

int dax_open_at(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDWR | O_CREAT, 0600);

	if (fd < 0)
		dax_die("open %s", name);
	return fd;
}

long dax_fs_magic(int fd)
{
	struct statfs sfs;

	if (fstatfs(fd, &sfs))
		dax_die("fstatfs");
	return sfs.f_type;
}

bool dax_is_dax(int fd)
{
	struct statx stx;

	if (statx(fd, "", AT_EMPTY_PATH, 0, &stx))
		dax_die("statx");
	return stx.stx_attributes & STATX_ATTR_DAX;
}

int dax_set_flag(int fd, bool on)
{
	struct fsxattr fsx;

	if (ioctl(fd, FS_IOC_FSGETXATTR, &fsx))
		return errno;
	if (on)
		fsx.fsx_xflags |= FS_XFLAG_DAX;
	else
		fsx.fsx_xflags &= ~FS_XFLAG_DAX;
	return ioctl(fd, FS_IOC_FSSETXATTR, &fsx) ? errno : 0;
}

/* XFS aligns to the stripe unit only what it is told to. */
static void ask_for_huge_extents(int fd)
{
	struct fsxattr fsx;

	if (dax_fs_magic(fd) != XFS_MAGIC)
		return;
	if (ioctl(fd, FS_IOC_FSGETXATTR, &fsx))
		dax_die("FS_IOC_FSGETXATTR");
	fsx.fsx_xflags |= FS_XFLAG_EXTSIZE;
	fsx.fsx_extsize = PMD_SZ;
	if (ioctl(fd, FS_IOC_FSSETXATTR, &fsx))
		dax_die("FS_IOC_FSSETXATTR");
}

int dax_create_hole(size_t size)
{
	int fd = dax_tmpfile(dax.dir);

	errno = EMEDIUMTYPE;
	if (dax.check && !dax_is_dax(fd))
		dax_die("files in %s are not DAX (mount -o dax=always?)", dax.dir);
	ask_for_huge_extents(fd);
	if (ftruncate(fd, size))
		dax_die("ftruncate");
	return fd;
}

int dax_create(size_t size)
{
	int fd = dax_create_hole(size);

	if (size && fallocate(fd, 0, 0, size))
		dax_die("fallocate");
	dax_file_fill(fd, 0, size, 0);
	if (fsync(fd))
		dax_die("fsync");
	return fd;
}

/* Whether each 2 MiB of the file lies in one extent, aligned to 2 MiB. */
bool dax_huge_extents(int fd)
{
	union {
		struct fiemap map;
		char room[sizeof(struct fiemap) + 64 * sizeof(struct fiemap_extent)];
	} u = {
		.map = {
			.fm_length = ~0ULL,
			.fm_flags = FIEMAP_FLAG_SYNC,
			.fm_extent_count = 64,
		},
	};

	if (!dax.check)
		return true;
	if (ioctl(fd, FS_IOC_FIEMAP, &u.map))
		dax_die("FS_IOC_FIEMAP");
	for (unsigned int i = 0; i < u.map.fm_mapped_extents; i++) {
		struct fiemap_extent *e = &u.map.fm_extents[i];

		if ((e->fe_physical | e->fe_logical | e->fe_length) % PMD_SZ)
			return false;
	}
	return true;
}

ssize_t dax_read_path(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY);
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		return -1;
	while ((n = read(fd, buf + len, size - 1 - len)) > 0)
		len += n;
	close(fd);
	buf[len] = 0;
	return n < 0 ? -1 : (ssize_t)len;
}

int dax_write_path(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = write(fd, text, strlen(text));
	close(fd);
	return n == (ssize_t)strlen(text) ? 0 : -1;
}

/* The head of the table names its columns: "# start end ... pins ...". */
long dax_pins(void)
{
	char text[4096], *line, *word, *lines, *words;
	int column = -1;
	long pins = 0;

	if (dax_read_path("/sys/kernel/debug/pageless/ranges", text, sizeof(text)) < 0)
		return -1;
	line = strtok_r(text, "\n", &lines);
	if (!line || *line != '#')
		return -1;
	word = strtok_r(line + 1, " ", &words);
	for (int i = 0; word; i++, word = strtok_r(NULL, " ", &words))
		if (!strcmp(word, "pins"))
			column = i;
	if (column < 0)
		return -1;
	while ((line = strtok_r(NULL, "\n", &lines))) {
		word = strtok_r(line, " ", &words);
		for (int i = 0; word && i < column; i++)
			word = strtok_r(NULL, " ", &words);
		if (word)
			pins += strtol(word, NULL, 0);
	}
	return pins;
}
