/*
 * Runs a fuzz target on every file of the folders that it is given: what the
 * fuzzer has once found stays found, without a fuzzer.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* In a block of exactly its size, so that a sanitizer sees its end. */
static bool
replay(int folder, const char *name)
{
	struct stat st;
	uint8_t *bytes;
	ssize_t len = -1;
	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0)
		return false;
	bytes = xcalloc(1, (size_t)st.st_size);
	if (S_ISREG(st.st_mode))
		len = read(fd, bytes, (size_t)st.st_size);
	close(fd);
	if (len >= 0)
		LLVMFuzzerTestOneInput(bytes, (size_t)len);
	free(bytes);
	return len >= 0;
}

static unsigned
replay_folder(const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *entry;
	unsigned n = 0;

	while (folder && (entry = readdir(folder)))
		n += replay(dirfd(folder), entry->d_name);
	if (folder)
		closedir(folder);
	return n;
}

int
main(int argc, char *argv[])
{
	unsigned n = 0;

	for (int i = 1; i < argc; i++)
		n += replay_folder(argv[i]);
	printf("%u inputs\n", n);
	return n ? EXIT_SUCCESS : EXIT_FAILURE;
}
