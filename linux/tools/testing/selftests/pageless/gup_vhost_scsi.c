// SPDX-License-Identifier: GPL-2.0
/*
 * vhost-scsi hands pages of a guest's memory to a SCSI target.  Here the guest is
 * this program: it has the rings, and a RAM disk behind them.  With a DAX mapping
 * as a command's buffer the data is right, or the answer is "bad target" and no
 * byte was moved; a command without an answer would hang its guest.
 */
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <linux/virtio_scsi.h>
#include "dax_fixture.h"

#define CONFIGFS	"/sys/kernel/config"
#define TARGET		CONFIGFS "/target"

#define READ_10		0x28
#define WRITE_10	0x2a
#define BLOCK		512

/* Of a command: response and status, or that there was none. */
#define GOOD		0
#define BAD_TARGET	(VIRTIO_SCSI_S_BAD_TARGET << 8)
#define NO_ANSWER	-1
#define ANSWER_MS	10000

#define LEN		(16 * PAGE_SZ)
/* Across the edge of a chunk, also with the half of it. */
#define AT		(PMD_SZ - LEN / 4)

#define QUEUES		3
#define COMMANDS	16		/* of one test: each has its own place */
#define PARTS		4		/* of a command: request, response, up to two buffers */

/* The guest's ordinary memory. */
struct ram {
	char ring[QUEUES][PAGE_SZ];
	char buf[LEN];
	struct virtio_scsi_cmd_req request[COMMANDS];
	struct virtio_scsi_cmd_resp response[COMMANDS];
};

struct guest {
	char *p;			/* a DAX mapping, for the guest memory too */
	struct ram *ram;
	char *hba, *disk, *wwn, *tpg, *lun, *link;	/* in configfs */
	int dev, kick, call;
	struct vring ring;		/* of the queue for commands */
	unsigned int sent, answered;
};

FIXTURE(vhost)
{
	int fd;
	struct guest guest;
};

FIXTURE_VARIANT(vhost)
{
	bool huge;
	size_t ordinary;	/* so much of the buffer, its head, is not in the mapping */
};

FIXTURE_VARIANT_ADD(vhost, pte) { .huge = false };
FIXTURE_VARIANT_ADD(vhost, pmd) { .huge = true };
FIXTURE_VARIANT_ADD(vhost, pte_behind_ordinary) { .huge = false, .ordinary = LEN / 2 };
FIXTURE_VARIANT_ADD(vhost, pmd_behind_ordinary) { .huge = true, .ordinary = LEN / 2 };

static __printf(1, 2) char *name(const char *fmt, ...)
{
	va_list args;
	char *s;

	va_start(args, fmt);
	if (vasprintf(&s, fmt, args) < 0)
		dax_die("vasprintf");
	va_end(args);
	return s;
}

/* Names in configfs are this process's own: others may run at the same time. */
static void make_disk(struct __test_metadata *_metadata, struct guest *g)
{
	g->hba = name(TARGET "/core/rd_mcp_%d", getpid());
	g->disk = name("%s/disk", g->hba);
	ASSERT_EQ(0, mkdir(g->hba, 0700)) TH_LOG("%s", strerror(errno));
	ASSERT_EQ(0, mkdir(g->disk, 0700)) TH_LOG("%s", strerror(errno));
	ASSERT_EQ(0, dax_write_path(name("%s/control", g->disk),
				    name("rd_pages=%lu", LEN / PAGE_SZ)));
	ASSERT_EQ(0, dax_write_path(name("%s/enable", g->disk), "1"));
}

static void make_port(struct __test_metadata *_metadata, struct guest *g)
{
	g->wwn = name(TARGET "/vhost/naa.5%015x", getpid());
	g->tpg = name("%s/tpgt_1", g->wwn);
	g->lun = name("%s/lun/lun_0", g->tpg);
	g->link = name("%s/disk", g->lun);
	WHEN(mkdir(TARGET "/vhost", 0700), ASSERT_EQ(EEXIST, errno));	/* it stays, for others too */
	ASSERT_EQ(0, mkdir(g->wwn, 0700)) TH_LOG("%s", strerror(errno));
	ASSERT_EQ(0, mkdir(g->tpg, 0700)) TH_LOG("%s", strerror(errno));
	ASSERT_EQ(0, dax_write_path(name("%s/nexus", g->tpg), name("naa.6%015x", getpid())));
	ASSERT_EQ(0, mkdir(g->lun, 0700)) TH_LOG("%s", strerror(errno));
	ASSERT_EQ(0, symlink(g->disk, g->link)) TH_LOG("%s", strerror(errno));
}

/* A guest address is the address here. */
static void set_memory(struct __test_metadata *_metadata, struct guest *g)
{
	union {
		struct vhost_memory table;
		char room[sizeof(struct vhost_memory) + 2 * sizeof(struct vhost_memory_region)];
	} u = { .table.nregions = 2 };
	struct vhost_memory_region *r = u.table.regions;

	r[0].userspace_addr = r[0].guest_phys_addr = (uintptr_t)g->ram;
	r[0].memory_size = sizeof(*g->ram);
	r[1].userspace_addr = r[1].guest_phys_addr = (uintptr_t)g->p;
	r[1].memory_size = MAP_LEN;
	ASSERT_EQ(0, ioctl(g->dev, VHOST_SET_MEM_TABLE, &u)) TH_LOG("%s", strerror(errno));
}

static void set_ring(struct __test_metadata *_metadata, struct guest *g, int i)
{
	struct vhost_vring_state num = { i, COMMANDS * PARTS }, base = { i, 0 };
	struct vhost_vring_file kick = { i, g->kick }, call = { i, g->call };
	struct vhost_vring_addr addr = { .index = i };

	ASSERT_LE(vring_size(num.num, 64), PAGE_SZ);
	vring_init(&g->ring, num.num, g->ram->ring[i], 64);
	addr.desc_user_addr = (uintptr_t)g->ring.desc;
	addr.avail_user_addr = (uintptr_t)g->ring.avail;
	addr.used_user_addr = (uintptr_t)g->ring.used;
	ASSERT_EQ(0, ioctl(g->dev, VHOST_SET_VRING_NUM, &num));
	ASSERT_EQ(0, ioctl(g->dev, VHOST_SET_VRING_BASE, &base));
	ASSERT_EQ(0, ioctl(g->dev, VHOST_SET_VRING_ADDR, &addr));
	if (i < QUEUES - 1)
		return;		/* control and events: never kicked */
	ASSERT_EQ(0, ioctl(g->dev, VHOST_SET_VRING_KICK, &kick));
	ASSERT_EQ(0, ioctl(g->dev, VHOST_SET_VRING_CALL, &call));
}

FIXTURE_SETUP(vhost)
{
	struct vhost_scsi_target target = { .abi_version = VHOST_SCSI_ABI_VERSION, .vhost_tpgt = 1 };
	struct guest *g = &self->guest;
	uint64_t features = 1ULL << VIRTIO_F_VERSION_1;

	if (access(TARGET, F_OK) || access("/dev/vhost-scsi", F_OK)) {
		if (system("modprobe -q -a target_core_mod vhost_scsi"))
			ksft_print_msg("no modules target_core_mod, vhost_scsi\n");
		if (access(TARGET, F_OK))
			mount("configfs", CONFIGFS, "configfs", 0, NULL);
	}
	g->dev = open("/dev/vhost-scsi", O_RDWR | O_CLOEXEC);
	if (g->dev < 0 || access(TARGET, F_OK))
		SKIP(return, "kernel without vhost-scsi");
	self->fd = dax_create(MAP_LEN);
	if (variant->huge && !dax_huge_extents(self->fd))
		SKIP(return, "no 2 MiB aligned extents: see mkfs.xfs su=2m, mkfs.ext4 stride=512");
	g->p = map_chunks(_metadata, self->fd, variant->huge);
	g->ram = (void *)dax_anonymous(sizeof(*g->ram), MAP_PRIVATE);
	g->kick = eventfd(0, EFD_CLOEXEC);
	g->call = eventfd(0, EFD_CLOEXEC);
	make_disk(_metadata, g);
	make_port(_metadata, g);

	ASSERT_EQ(0, ioctl(g->dev, VHOST_SET_OWNER)) TH_LOG("%s", strerror(errno));
	ASSERT_EQ(0, ioctl(g->dev, VHOST_SET_FEATURES, &features)) TH_LOG("%s", strerror(errno));
	set_memory(_metadata, g);
	for (int i = 0; i < QUEUES; i++)
		set_ring(_metadata, g, i);
	snprintf(target.vhost_wwpn, sizeof(target.vhost_wwpn), "%s", strrchr(g->wwn, '/') + 1);
	ASSERT_EQ(0, ioctl(g->dev, VHOST_SCSI_SET_ENDPOINT, &target)) TH_LOG("%s", strerror(errno));
}

/* What the target still held could not be removed. */
FIXTURE_TEARDOWN(vhost)
{
	struct guest *g = &self->guest;

	close(g->dev);
	EXPECT_EQ(0, unlink(g->link));
	EXPECT_EQ(0, rmdir(g->lun));
	EXPECT_EQ(0, rmdir(g->tpg));
	EXPECT_EQ(0, rmdir(g->wwn));
	EXPECT_EQ(0, rmdir(g->disk));
	EXPECT_EQ(0, rmdir(g->hba));
	munmap(g->p, MAP_LEN);
	close(self->fd);
}

/* The used entries come in order of completion, and a late one may be of a command given up. */
static bool wait_for(struct guest *g, unsigned int head)
{
	struct pollfd call = { g->call, POLLIN, 0 };
	struct vring *ring = &g->ring;
	eventfd_t n;

	for (;;) {
		while (g->answered != __atomic_load_n(&ring->used->idx, __ATOMIC_ACQUIRE))
			if (ring->used->ring[g->answered++ % ring->num].id == head)
				return true;
		if (poll(&call, 1, ANSWER_MS) <= 0 || eventfd_read(g->call, &n))
			return false;
	}
}

/* Move the whole disk to or from the @n buffers: READ has the response before them, WRITE behind. */
static int command(struct guest *g, int opcode, const struct iovec *buf, int n)
{
	unsigned int slot = g->sent++, head = slot * PARTS;
	struct virtio_scsi_cmd_resp *response = &g->ram->response[slot];
	struct virtio_scsi_cmd_req *request = &g->ram->request[slot];
	struct vring_desc *desc = &g->ring.desc[head];
	int out = opcode == WRITE_10 ? 1 + n : 1;
	struct iovec part[PARTS];

	if (slot == COMMANDS)
		dax_die("COMMANDS is too small");
	*request = (struct virtio_scsi_cmd_req){
		.lun = { 1, 1, 0x40, 0 }, .tag = slot,
		.cdb = { opcode, [7] = LEN / BLOCK >> 8, LEN / BLOCK & 0xff },
	};
	memset(response, 0xff, sizeof(*response));
	part[0] = (struct iovec){ request, sizeof(*request) };
	memcpy(&part[opcode == WRITE_10 ? 1 : 2], buf, n * sizeof(*buf));
	part[out] = (struct iovec){ response, sizeof(*response) };
	for (int i = 0; i < n + 2; i++)
		desc[i] = (struct vring_desc){
			.addr = (uintptr_t)part[i].iov_base, .len = part[i].iov_len,
			.flags = (i < n + 1 ? VRING_DESC_F_NEXT : 0) | (i < out ? 0 : VRING_DESC_F_WRITE),
			.next = head + i + 1,
		};
	g->ring.avail->ring[slot] = head;
	__atomic_store_n(&g->ring.avail->idx, g->sent, __ATOMIC_RELEASE);
	if (eventfd_write(g->kick, 1))
		dax_die("eventfd_write");
	return wait_for(g, head) ? response->response << 8 | response->status : NO_ANSWER;
}

/* The controls: an ordinary buffer. */
static void fill_disk(struct __test_metadata *_metadata, struct guest *g, int seed)
{
	struct iovec buf = { g->ram->buf, LEN };

	dax_fill(buf.iov_base, LEN, 0, seed);
	ASSERT_EQ(GOOD, command(g, WRITE_10, &buf, 1));
}

static void read_disk(struct __test_metadata *_metadata, struct guest *g)
{
	struct iovec buf = { g->ram->buf, LEN };

	memset(buf.iov_base, 0xee, LEN);
	ASSERT_EQ(GOOD, command(g, READ_10, &buf, 1));
}

static void expect_disk(struct __test_metadata *_metadata, struct guest *g, int seed)
{
	read_disk(_metadata, g);
	EXPECT_EQ(-1, dax_mismatch(g->ram->buf, LEN, 0, seed));
}

/* The command that is the subject: but for the head of it, its buffer is in the mapping. */
static bool all_or_bad_target(struct __test_metadata *_metadata, struct guest *g, int opcode,
			      size_t ordinary)
{
	struct iovec buf[] = { { g->ram->buf, ordinary }, { g->p + AT, LEN - ordinary } };
	int first = !ordinary;

	EXPECT_EQ(dax.gup_errno ? BAD_TARGET : GOOD, command(g, opcode, buf + first, 2 - first));
	return !dax.gup_errno;
}

TEST_F(vhost, read_into_the_mapping)
{
	size_t ordinary = variant->ordinary, end = AT + LEN - ordinary;
	struct guest *g = &self->guest;

	fill_disk(_metadata, g, 7);
	expect_disk(_metadata, g, 7);
	dax_fill(g->ram->buf, LEN, 0, 3);
	if (all_or_bad_target(_metadata, g, READ_10, ordinary)) {
		EXPECT_EQ(-1, dax_mismatch(g->ram->buf, ordinary, 0, 7));
		EXPECT_EQ(-1, dax_mismatch(g->p + AT, LEN - ordinary, ordinary, 7));
		EXPECT_EQ(-1, dax_mismatch(g->p, AT, 0, 0));
		EXPECT_EQ(-1, dax_mismatch(g->p + end, MAP_LEN - end, end, 0));
	} else {
		EXPECT_EQ(-1, dax_mismatch(g->ram->buf, LEN, 0, 3));
		EXPECT_EQ(-1, dax_mismatch(g->p, MAP_LEN, 0, 0));
	}
	expect_disk(_metadata, g, 7);
	fill_disk(_metadata, g, 5);
	expect_disk(_metadata, g, 5);
}

TEST_F(vhost, write_out_of_the_mapping)
{
	size_t ordinary = variant->ordinary;
	struct guest *g = &self->guest;
	bool all;

	fill_disk(_metadata, g, 7);
	expect_disk(_metadata, g, 7);
	dax_fill(g->ram->buf, LEN, 0, 3);
	all = all_or_bad_target(_metadata, g, WRITE_10, ordinary);
	read_disk(_metadata, g);
	if (all) {
		EXPECT_EQ(-1, dax_mismatch(g->ram->buf, ordinary, 0, 3));
		EXPECT_EQ(-1, dax_mismatch(g->ram->buf + ordinary, LEN - ordinary, AT, 0));
	} else {
		EXPECT_EQ(-1, dax_mismatch(g->ram->buf, LEN, 0, 7));
	}
	EXPECT_EQ(-1, dax_mismatch(g->p, MAP_LEN, 0, 0));
	fill_disk(_metadata, g, 5);
	expect_disk(_metadata, g, 5);
}

DAX_TEST_MAIN
