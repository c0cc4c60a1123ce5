// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's process 1. The kernel has mounted the host's root over 9p and runs this file from it;
 * init puts a throw-away overlay in front, mounts what a user land expects, runs the job that
 * lab/run left in $LAB_RUN/job, tells the exit status on a virtio-serial port and powers off.
 *
 * Ports: lab.verdict, lab.stdout, lab.stderr; hvc0 is the job's terminal if it is to have one.
 * Nothing read from the console matters, so nothing written to it can forge a verdict.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <libgen.h>
#include <net/if.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define TERMINAL	"/dev/hvc0"
#define DRAIN_MS	10000	/* how long killed processes may keep a pipe open */

/* What lab/run asks for: NUL-terminated strings in $LAB_RUN/job, in this order. */
struct job {
	char *modules;		/* host directory that has the kernel's lib/modules, or "" */
	char *cwd;
	char *term;		/* "" for pipes, or $TERM: run on TERMINAL */
	char *rows, *columns;	/* of that terminal */
	char *deadline;		/* seconds of uptime after which to log who is blocked; 0: never */
	char **argv;
};

static void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Without a verdict lab/run reports a crash, and finds this as the reason at the end of the log. */
static void die(const char *fmt, ...)
{
	int err = errno;
	va_list ap;

	fprintf(stderr, "lab/init: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, ": %s\n", strerror(err));
	tcdrain(STDERR_FILENO);
	reboot(RB_POWER_OFF);
	_exit(1);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		fprintf(stderr, "lab/init: %s: %s\n", path, strerror(errno));
	close(fd);
}

static long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return ts.tv_sec * 1000L + ts.tv_nsec / 1000000;
}

/* ---- the job ---------------------------------------------------------------------------------- */

static struct job read_job(void)
{
	const char *run = getenv("LAB_RUN");
	char path[4096], *text, *end, *s;
	struct stat st;
	struct job job;
	char **field[] = { &job.modules, &job.cwd, &job.term, &job.rows, &job.columns,
			   &job.deadline };
	size_t n, argc = 0;
	int fd;

	if (!run)
		die("no LAB_RUN= on the kernel command line");
	snprintf(path, sizeof(path), "%s/job", run);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		die("%s", path);
	text = malloc(st.st_size);
	if (!text || read(fd, text, st.st_size) != st.st_size)
		die("%s", path);
	close(fd);

	s = text;
	end = text + st.st_size;
	for (n = 0; n < sizeof(field) / sizeof(*field) && s < end; n++, s += strlen(s) + 1)
		*field[n] = s;
	job.argv = calloc(end - s + 1, sizeof(*job.argv));
	for (; s < end; s += strlen(s) + 1)
		job.argv[argc++] = s;
	if (!argc)
		die("%s: no command", path);
	return job;
}

/* ---- the file tree ---------------------------------------------------------------------------- */

static const struct {
	const char *type, *dir, *data;
} mounts[] = {
	{ "proc",	"/proc" },
	{ "sysfs",	"/sys" },
	{ "devtmpfs",	"/dev" },
	{ "devpts",	"/dev/pts",		"gid=5,mode=620,ptmxmode=666" },
	{ "tmpfs",	"/dev/shm",		"mode=1777" },
	{ "mqueue",	"/dev/mqueue" },
	{ "hugetlbfs",	"/dev/hugepages" },
	{ "tmpfs",	"/run",			"mode=755" },
	{ "tmpfs",	"/run/lock",		"mode=1777" },
	{ "cgroup2",	"/sys/fs/cgroup" },
	{ "debugfs",	"/sys/kernel/debug" },
	{ "tracefs",	"/sys/kernel/tracing" },
	{ "configfs",	"/sys/kernel/config" },
	{ "fusectl",	"/sys/fs/fuse/connections" },
};

static const struct {
	const char *path, *target;
} links[] = {
	{ "/dev/fd",		"/proc/self/fd" },
	{ "/dev/stdin",		"/proc/self/fd/0" },
	{ "/dev/stdout",	"/proc/self/fd/1" },
	{ "/dev/stderr",	"/proc/self/fd/2" },
};

/*
 * The host's root stays read-only below; what the guest writes goes to a tmpfs above it, /tmp
 * included, so that a script that the caller has in /tmp can be run.
 */
static void enter_overlay(void)
{
	if (mount("tmpfs", "/tmp", "tmpfs", 0, "mode=755,size=75%") ||
	    mkdir("/tmp/upper", 0755) || mkdir("/tmp/work", 0755) || mkdir("/tmp/root", 0755) ||
	    mount("overlay", "/tmp/root", "overlay", 0,
		  "lowerdir=/,upperdir=/tmp/upper,workdir=/tmp/work"))
		die("overlay");
	if (chdir("/tmp/root") || syscall(SYS_pivot_root, ".", ".") ||
	    umount2(".", MNT_DETACH) || chdir("/"))
		die("pivot_root");
}

static void mount_all(void)
{
	size_t i;

	for (i = 0; i < sizeof(mounts) / sizeof(*mounts); i++) {
		mkdir(mounts[i].dir, 0755);
		if (mount(mounts[i].type, mounts[i].dir, mounts[i].type, 0, mounts[i].data))
			fprintf(stderr, "lab/init: %s: %s\n", mounts[i].dir, strerror(errno));
	}
	for (i = 0; i < sizeof(links) / sizeof(*links); i++)
		symlink(links[i].target, links[i].path);
	mkdir("/mnt", 0755);
	mkdir("/tmp", 01777);
}

static void mount_modules(const char *modules)
{
	if (!*modules)
		return;
	mkdir("/lib/modules", 0755);
	if (mount(modules, "/lib/modules", NULL, MS_BIND, NULL))
		fprintf(stderr, "lab/init: %s: %s\n", modules, strerror(errno));
}

/* ---- services --------------------------------------------------------------------------------- */

static void loopback_up(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr))
		fprintf(stderr, "lab/init: lo: %s\n", strerror(errno));
	close(fd);
}

static void run_tool(char *const argv[])
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		execv(argv[0], argv);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) != pid || status)
		fprintf(stderr, "lab/init: %s %s: status %#x\n", argv[0], argv[1], status);
}

/*
 * Device-mapper's tools and mkfs wait for udev, for ever if need be. All nodes are there already; only
 * of block devices does anybody ask udev's database.
 */
static void start_udev(void)
{
	char *const udevd[] = { "/lib/systemd/systemd-udevd", "--daemon", NULL };
	char *const trigger[] = { "/bin/udevadm", "trigger", "--action=add",
				  "--subsystem-match=block", NULL };
	char *const settle[] = { "/bin/udevadm", "settle", "--timeout=60", NULL };

	if (access(udevd[0], X_OK) || access(trigger[0], X_OK))
		return;
	run_tool(udevd);
	run_tool(trigger);
	run_tool(settle);
}

/* ---- the command ------------------------------------------------------------------------------ */

/* Sets path to the device of the virtio-serial port that QEMU calls name. */
static bool find_port(const char *name, char *path, size_t size)
{
	glob_t found;
	bool match = false;
	char line[64];
	size_t i;
	FILE *f;

	if (glob("/sys/class/virtio-ports/*/name", 0, NULL, &found))
		return false;
	for (i = 0; i < found.gl_pathc && !match; i++) {
		f = fopen(found.gl_pathv[i], "re");
		if (f && fgets(line, sizeof(line), f)) {
			line[strcspn(line, "\n")] = '\0';
			match = !strcmp(line, name);
		}
		if (f)
			fclose(f);
		if (match)
			snprintf(path, size, "/dev/%s",
				 basename(dirname(found.gl_pathv[i])));
	}
	globfree(&found);
	return match;
}

/* A port shows up a moment after its driver has bound. */
static int open_port(const char *name)
{
	struct timespec ms = { .tv_nsec = 1000000 };
	char path[64];
	int fd, tries;

	for (tries = 0; tries < 10000; tries++) {
		if (find_port(name, path, sizeof(path))) {
			fd = open(path, O_WRONLY | O_CLOEXEC);
			if (fd >= 0)
				return fd;
		}
		nanosleep(&ms, NULL);
	}
	die("port %s", name);
}

static void take_terminal(const struct job *job)
{
	struct winsize ws = { .ws_row = atoi(job->rows), .ws_col = atoi(job->columns) };
	int fd = open(TERMINAL, O_RDWR | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		die(TERMINAL);

	ioctl(fd, TIOCSCTTY, 0);
	ioctl(fd, TIOCSWINSZ, &ws);
	dup2(fd, STDIN_FILENO);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
}

static void run_command(const struct job *job, int out, int err)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	if (*job->term) {
		take_terminal(job);
		setenv("TERM", job->term, 1);
	} else {
		dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), STDIN_FILENO);
		dup2(out, STDOUT_FILENO);
		dup2(err, STDERR_FILENO);
	}
	if (chdir(job->cwd)) {
		fprintf(stderr, "lab/init: %s: %s\n", job->cwd, strerror(errno));
		_exit(126);
	}
	execvp(job->argv[0], job->argv);
	fprintf(stderr, "lab/init: %s: %s\n", job->argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* A pipe from the command and the port that it is copied to. */
struct stream {
	int from, to;
};

/* Returns false once the last writer has gone. */
static bool pump(const struct stream *s)
{
	char buf[65536];
	ssize_t n = read(s->from, buf, sizeof(buf)), done, put;

	if (n <= 0)
		return n < 0 && (errno == EINTR || errno == EAGAIN);
	for (done = 0; done < n; done += put) {
		put = write(s->to, buf + done, n - done);
		if (put < 0)
			die("output port");
	}
	return true;
}

/* Reaps whatever has died; true if the command was among it. */
static bool reap(int sigfd, pid_t command, int *status)
{
	struct signalfd_siginfo info;
	bool done = false;
	int st;
	pid_t pid;

	if (read(sigfd, &info, sizeof(info)) < 0)
		return false;
	while ((pid = waitpid(-1, &st, WNOHANG)) > 0) {
		if (pid != command)
			continue;
		*status = WIFSIGNALED(st) ? 128 + WTERMSIG(st) : WEXITSTATUS(st);
		done = true;
	}
	return done;
}

/* The host is about to give up: leave in the log who sleeps where, and what the CPUs run. */
static void log_blocked(void)
{
	write_file("/proc/sysrq-trigger", "w");
	write_file("/proc/sysrq-trigger", "l");
}

/*
 * Copies the command's output until it has exited, kills what it left behind, and copies on until
 * the pipes are empty.
 */
static int supervise(pid_t command, struct stream stream[2], int sigfd, long deadline)
{
	struct pollfd fds[3] = {
		{ .fd = stream[0].from, .events = POLLIN },
		{ .fd = stream[1].from, .events = POLLIN },
		{ .fd = sigfd, .events = POLLIN },
	};
	bool running = true, warned = !deadline;
	int status = 0, i;

	while (running || fds[0].fd >= 0 || fds[1].fd >= 0) {
		long wait = warned ? -1 : deadline - now_ms();

		if (!warned && wait <= 0) {
			log_blocked();
			warned = true;
			continue;
		}
		if (!poll(fds, 3, running ? (int)wait : DRAIN_MS) && !running)
			break;
		for (i = 0; i < 2; i++)
			if (fds[i].revents && !pump(&stream[i]))
				fds[i].fd = -1;
		if (fds[2].revents && reap(sigfd, command, &status)) {
			running = false;
			warned = true;
			kill(-1, SIGKILL);
		}
	}
	return status;
}

static int run_job(const struct job *job)
{
	struct stream stream[2];
	int out[2], err[2], sigfd;
	sigset_t chld;
	pid_t pid;

	if (pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC))
		die("pipe");
	stream[0] = (struct stream){ out[0], open_port("lab.stdout") };
	stream[1] = (struct stream){ err[0], open_port("lab.stderr") };

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	sigfd = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);

	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid)
		run_command(job, out[1], err[1]);
	close(out[1]);
	close(err[1]);
	return supervise(pid, stream, sigfd, atol(job->deadline) * 1000);
}

/* ---- the end ---------------------------------------------------------------------------------- */

/*
 * With kmemleak=on on the kernel command line, look for leaks. kmemleak believes in none younger
 * than five seconds, and in none that it has seen only once. Its own line in the log makes the run
 * fail; the list of objects goes to the console after it.
 */
static void report_leaks(void)
{
	const char *path = "/sys/kernel/debug/kmemleak";
	char buf[4096];
	ssize_t n;
	int fd;

	fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	buf[n > 0 ? n : 0] = '\0';
	if (!strstr(buf, "kmemleak=on"))
		return;

	write_file(path, "scan");
	sleep(6);
	write_file(path, "scan");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && (n = read(fd, buf, sizeof(buf))) > 0)
		write(STDERR_FILENO, buf, n);
}

int main(void)
{
	struct job job = read_job();
	int verdict, status;
	char line[32];

	umask(022);
	enter_overlay();
	mount_all();
	mount_modules(job.modules);
	sethostname("lab", 3);
	loopback_up();

	clearenv();
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("HOME", "/root", 1);
	setenv("USER", "root", 1);
	setenv("LOGNAME", "root", 1);
	setenv("SHELL", "/bin/bash", 1);
	setenv("LANG", "C.UTF-8", 1);

	/* A port can be open once: while init holds this one, nobody else gives a verdict. */
	verdict = open_port("lab.verdict");
	start_udev();
	status = run_job(&job);
	report_leaks();

	snprintf(line, sizeof(line), "exit %d\n", status);
	if (write(verdict, line, strlen(line)) < 0)
		die("verdict");
	reboot(RB_POWER_OFF);
	return 0;
}
