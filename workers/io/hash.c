#include "workers/io/hash.h"

enum { WORD = sizeof(uint64_t) };

/* Each step can be undone, so two states never become one by the same word. */
static uint64_t
mix(uint64_t state, uint64_t word)
{
	state = (state ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return state ^ state >> 29;
}

static uint64_t
word_at(const void *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, WORD);
	return word;
}

void
hash_add(struct hash *h, struct str bytes)
{
	size_t have = h->len % WORD;
	size_t need = have ? WORD - have : 0;

	if (!bytes.len)
		return;
	h->len += bytes.len;
	if (bytes.len < need) {
		memcpy(h->rest + have, bytes.ptr, bytes.len);
		return;
	}
	if (need) {
		memcpy(h->rest + have, bytes.ptr, need);
		h->state = mix(h->state, word_at(h->rest));
		bytes = str_from(bytes, need);
	}
	for (; bytes.len >= WORD; bytes = str_from(bytes, WORD))
		h->state = mix(h->state, word_at(bytes.ptr));
	if (bytes.len)
		memcpy(h->rest, bytes.ptr, bytes.len);
}

static bool
is_white(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Copies first, because that is faster than to add the words one by one. */
void
hash_add_words(struct hash *h, struct str text)
{
	char words[4096];
	size_t len = 0;

	for (size_t i = 0; i < text.len; i++) {
		words[len] = text.ptr[i];
		len += !is_white(text.ptr[i]);
		if (len < sizeof words)
			continue;
		hash_add(h, (struct str){ words, len });
		len = 0;
	}
	hash_add(h, (struct str){ words, len });
}

void
hash_add_field(struct hash *h, struct str bytes)
{
	uint64_t len = bytes.len;

	hash_add(h, (struct str){ (const char *)&len, sizeof len });
	hash_add(h, bytes);
}

uint64_t
hash_value(const struct hash *h)
{
	unsigned char last[WORD] = { 0 };
	uint64_t value;

	memcpy(last, h->rest, h->len % WORD);
	value = mix(mix(h->state, word_at(last)), h->len);
	return value ? value : 1;
}
