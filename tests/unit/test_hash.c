/* Bytes have one hash, however they are cut; other bytes have another. */
#include "tests/unit/unit.h"

#include "workers/io/hash.h"

static const char bytes[] = "Some bytes, of which no two stretches are alike; "
			    "long enough for several words.";

static uint64_t
whole(struct str s)
{
	struct hash h = HASH_INIT;

	hash_add(&h, s);
	return hash_value(&h);
}

static void
it_makes_no_difference_where_bytes_are_cut(void **state)
{
	struct str all = str_of(bytes);
	uint64_t want = whole(all);

	for (size_t i = 0; i <= all.len; i++)
		for (size_t k = i; k <= all.len; k++) {
			struct hash h = HASH_INIT;

			hash_add(&h, (struct str){ all.ptr, i });
			hash_add(&h, (struct str){ all.ptr + i, k - i });
			hash_add(&h, str_from(all, k));
			assert_true(hash_value(&h) == want);
		}
}

static void
each_byte_counts(void **state)
{
	char other[sizeof bytes];

	for (size_t i = 0; i < sizeof bytes - 1; i++) {
		memcpy(other, bytes, sizeof bytes);
		other[i] ^= 1;
		assert_true(whole(str_of(bytes)) != whole(str_of(other)));
		assert_true(whole(str_of(bytes)) !=
			    whole((struct str){ bytes, i }));
	}
	assert_true(whole((struct str){ "\0", 1 }) !=
		    whole((struct str){ "\0\0", 2 }));
}

static void
white_space_is_no_word(void **state)
{
	struct hash a = HASH_INIT, b = HASH_INIT;
	char many[9000];

	hash_add_words(&a, STR(" a\tb\r\nc "));
	hash_add(&b, STR("abc"));
	assert_true(hash_value(&a) == hash_value(&b));
	memset(many, 'x', sizeof many);
	hash_add(&a, (struct str){ many, sizeof many });
	many[5000] = ' ';
	hash_add_words(&b, (struct str){ many, sizeof many });
	hash_add(&b, STR("x"));
	assert_true(hash_value(&a) == hash_value(&b));
}

static void
fields_are_kept_apart(void **state)
{
	struct hash a = HASH_INIT, b = HASH_INIT;

	hash_add_field(&a, STR("ab"));
	hash_add_field(&a, STR("c"));
	hash_add_field(&b, STR("a"));
	hash_add_field(&b, STR("bc"));
	assert_true(hash_value(&a) != hash_value(&b));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_makes_no_difference_where_bytes_are_cut),
		cmocka_unit_test(each_byte_counts),
		cmocka_unit_test(white_space_is_no_word),
		cmocka_unit_test(fields_are_kept_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
