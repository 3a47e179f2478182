# shellcheck shell=bash
# perl: hashes, regular expressions, sorting and string building.
needs=(perl=perl)
probe=(perl -e 1)

version() {
  perl -e 'printf "perl %vd\n", $^V'
}

prepare() {
  cat >"$dir/script.pl" <<'END'
use strict;
use warnings;
my ($seed, %count, @rows) = (42);
sub next_random { $seed = ($seed * 1103515245 + 12345) & 0x7fffffff; return $seed >> 8; }
for my $i (1 .. 200000) {
    my $key = sprintf("key%d", next_random() % 30000);
    $count{$key} .= chr(97 + $i % 26) x (next_random() % 40);
    push @rows, { id => $i, key => $key, list => [ map { $_ * $i } 1 .. next_random() % 6 ] };
    splice(@rows, next_random() % @rows, 1) if @rows > 50000;
}
my $text = join "\n", map { "$_=$count{$_}" } sort keys %count;
(my $changed = $text) =~ s/([aeiou]+)/<$1>/g;
my $sum = 0;
$sum = ($sum * 31 + $_->{id} + @{ $_->{list} }) % 1000000007 for sort { $a->{key} cmp $b->{key} || $a->{id} <=> $b->{id} } @rows;
print length($text), " ", length($changed), " $sum ", unpack("%32C*", $changed), "\n";
END
}

job() {
  PERL_HASH_SEED=0 under perl "$dir/script.pl"
}
