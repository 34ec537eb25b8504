/* Any bytes, from anybody to anybody: refused or understood, never worse. */
#include "proto/msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* As many messages as there are, one behind the other. */
static void
read_all(struct str left, enum role from, enum role to)
{
	struct error e = { 0 };
	struct msg m;

	while (left.len) {
		size_t before = left.len;

		if (msg_next(&m, &left, from, to, &e) == MSG_BROKEN)
			return;
		if (left.len >= before)
			abort();
		(void)msg_turn(&m);
		/* Whatever was bad is mended by whoever passes it on. */
		nng_msg_free(msg_pack(m.type, &m.body));
	}
}

/* The first byte says from whom and to whom, the rest is the message. */
int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct buf line = BUF_INIT(1u << 20);
	struct error e = { 0 };
	struct msg m;
	nng_msg *raw;

	if (len < 1 || nng_msg_alloc(&raw, 0) != 0)
		return 0;
	read_all((struct str){ (const char *)bytes + 1, len - 1 },
		 (enum role)(1u << (bytes[0] & 3)),
		 (enum role)(1u << (bytes[0] >> 2 & 3)));
	if (nng_msg_append(raw, bytes + 1, len - 1) != 0)
		abort();
	if (!msg_unpack(&m, raw, (enum role)(1u << (bytes[0] & 3)),
			(enum role)(1u << (bytes[0] >> 2 & 3)), &e))
		return 0;
	msg_print(&line, &m);
	nng_msg_free(msg_pack(m.type, &m.body));
	msg_fini(&m);
	buf_fini(&line);
	return 0;
}
