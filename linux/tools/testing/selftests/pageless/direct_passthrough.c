// SPDX-License-Identifier: GPL-2.0
/*
 * Commands that a program passes to a SCSI or NVMe disk, with a DAX mapping as the
 * buffer: that path knows only memory that has pages.  Page-less, EFAULT; where it
 * copies (the buffer is not aligned) the data is right; and no disk ever writes
 * somewhere else.
 */
#include <linux/nvme_ioctl.h>
#include <scsi/sg.h>
#include "dax_fixture.h"

#define LEN	(4 * PAGE_SZ)
/* Across the edge of a chunk. */
#define AT	(PMD_SZ - LEN / 2)

FIXTURE(command)
{
	int fd;
	int disk;
	int block;	/* its size */
	bool nvme;
	char *p;
};

FIXTURE_VARIANT(command)
{
	bool huge;
};

FIXTURE_VARIANT_ADD(command, pte) { .huge = false };
FIXTURE_VARIANT_ADD(command, pmd) { .huge = true };

/* Blocks from 0 on; 0, or -1 and errno. */
static int scsi(int disk, int block, void *buf, bool write)
{
	unsigned char cdb[10] = { write ? 0x2a : 0x28, [8] = LEN / block }, sense[32];
	struct sg_io_hdr io = {
		.interface_id = 'S', .dxfer_direction = write ? SG_DXFER_TO_DEV : SG_DXFER_FROM_DEV,
		.cmd_len = sizeof(cdb), .cmdp = cdb, .mx_sb_len = sizeof(sense), .sbp = sense,
		.dxfer_len = LEN, .dxferp = buf, .timeout = 30000,
	};

	if (ioctl(disk, SG_IO, &io))
		return -1;
	if ((io.info & SG_INFO_OK_MASK) != SG_INFO_OK)
		dax_die("SCSI status %x, %x, %x", io.status, io.host_status, io.driver_status);
	return 0;
}

static int nvme(int disk, int block, void *buf, bool write)
{
	struct nvme_passthru_cmd cmd = {
		.opcode = write ? 1 : 2, .nsid = ioctl(disk, NVME_IOCTL_ID),
		.addr = (uintptr_t)buf, .data_len = LEN, .cdw12 = LEN / block - 1,
	};
	int status = ioctl(disk, NVME_IOCTL_IO_CMD, &cmd);

	if (status > 0)
		dax_die("NVMe status %x", status);
	return status;
}

static int transfer(FIXTURE_DATA(command) * self, void *buf, bool write)
{
	return (self->nvme ? nvme : scsi)(self->disk, self->block, buf, write);
}

FIXTURE_SETUP(command)
{
	char *buf = aligned_alloc(PAGE_SZ, LEN);

	if (!dax.other)
		SKIP(return, "no OTHER disk given");
	self->disk = open(dax.other, O_RDWR | O_DIRECT);
	ASSERT_LE(0, self->disk);
	self->nvme = ioctl(self->disk, NVME_IOCTL_ID) > 0;
	if (!self->nvme && ioctl(self->disk, SG_GET_VERSION_NUM, &(int) { 0 }))
		SKIP(return, "neither SCSI nor NVMe");
	ASSERT_EQ(0, ioctl(self->disk, BLKSSZGET, &self->block));
	dax_fill(buf, LEN, 0, 7);
	ASSERT_EQ((ssize_t)LEN, pwrite(self->disk, buf, LEN, 0));
	free(buf);
	self->fd = dax_create(MAP_LEN);
	self->p = map_chunks(_metadata, self->fd, variant->huge);
}

FIXTURE_TEARDOWN(command)
{
	munmap(self->p, MAP_LEN);
	close(self->fd);
	close(self->disk);
}

TEST_F(command, read)
{
	int err = ERRNO_OF(transfer(self, self->p + AT, false));

	EXPECT_EQ(dax.gup_errno, err);
	EXPECT_EQ(-1, dax_mismatch(self->p + AT, LEN, err ? AT : 0, err ? 0 : 7));
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, AT, 0));
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, AT + LEN, MAP_LEN - AT - LEN, 0));
}

TEST_F(command, write)
{
	int err = ERRNO_OF(transfer(self, self->p + AT, true));
	char *buf = aligned_alloc(PAGE_SZ, LEN);

	EXPECT_EQ(dax.gup_errno, err);
	ASSERT_EQ((ssize_t)LEN, pread(self->disk, buf, LEN, 0));
	EXPECT_EQ(-1, dax_mismatch(buf, LEN, err ? 0 : AT, err ? 7 : 0));
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, MAP_LEN, 0));
	free(buf);
}

/* One byte beside what a disk can reach: the block layer copies. */
TEST_F(command, read_that_is_copied)
{
	char *buf = aligned_alloc(PAGE_SZ, LEN);

	ASSERT_EQ(0, transfer(self, self->p + AT + 1, false)) TH_LOG("%s", strerror(errno));
	memcpy(buf, self->p + AT + 1, LEN);
	EXPECT_EQ(-1, dax_mismatch(buf, LEN, 0, 7));
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, AT, 0));
	free(buf);
}

/* The queue goes on after a refusal. */
TEST_F(command, ordinary_buffer_afterwards)
{
	char *buf = aligned_alloc(PAGE_SZ, LEN);

	EXPECT_EQ(dax.gup_errno, ERRNO_OF(transfer(self, self->p + AT, false)));
	ASSERT_EQ(0, transfer(self, buf, false));
	EXPECT_EQ(-1, dax_mismatch(buf, LEN, 0, 7));
	free(buf);
}

DAX_TEST_MAIN
