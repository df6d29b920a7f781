#!/usr/bin/perl
# SPDX-License-Identifier: GPL-3.0-or-later
#
# city_database.pl OUT [IPV4=300000] [IPV6=60000]: a synthetic database in the form of MaxMind's
# GeoLite2-City, as large as the real one is for steering: random IPv4 networks from /16 to /24 and
# IPv6 networks from /32 to /48, in 4,000 cities of 33 countries. The seed is fixed, so that every run
# of the benchmarks has the same. Loopback is in Tokyo: clients of the benchmarks have a place, too.
use strict;
use warnings;
use MaxMind::DB::Writer::Tree;

my ($out, $ipv4, $ipv6) = @ARGV;
die "usage: city_database.pl OUT [IPV4] [IPV6]\n" unless defined $out;
$ipv4 //= 300000;
$ipv6 //= 60000;
srand(1);

my @continents = (
	['EU', qw(DE FR GB PL IT ES SE NL)], ['NA', qw(US CA MX)], ['AS', qw(JP CN IN KR SG)],
	['SA', qw(BR AR CL)],                ['OC', qw(AU NZ)],    ['AF', qw(ZA EG NG KE)],
);

my %types = (
	continent => 'map', country => 'map', city => 'map', location => 'map', names => 'map',
	code => 'utf8_string', iso_code => 'utf8_string', en => 'utf8_string',
	latitude => 'double', longitude => 'double', accuracy_radius => 'uint16',
	geoname_id => 'uint32', time_zone => 'utf8_string',
);
my $tree = MaxMind::DB::Writer::Tree->new(
	ip_version => 6,
	record_size => 28,
	database_type => 'GeoLite2-City',
	languages => ['en'],
	description => { en => 'Synthetic, for benchmarks' },
	map_key_type_callback => sub { $types{ $_[0] } },
	remove_reserved_networks => 0,
	merge_strategy => 'none',
	alias_ipv6_to_ipv4 => 0,
);

sub city {
	my ($id, $continent, $country, $latitude, $longitude) = @_;
	return {
		continent => { code => $continent, geoname_id => 6255000 + int rand 9,
			names => { en => $continent } },
		country => { iso_code => $country, geoname_id => 100000 + int rand 900000,
			names => { en => "Country $country" } },
		city => { geoname_id => 1000000 + $id, names => { en => "City$id" } },
		location => { latitude => $latitude, longitude => $longitude,
			accuracy_radius => 10 + int rand 500, time_zone => 'Etc/GMT' },
	};
}

my @cities;
for my $id (1 .. 4000) {
	my ($continent, @countries) = @{ $continents[rand @continents] };
	push @cities, city($id, $continent, $countries[rand @countries],
		sprintf('%.4f', -60 + rand 130) + 0, sprintf('%.4f', -180 + rand 360) + 0);
}

my $n = 0;
while ($n < $ipv4) {
	my $length = 16 + int rand 9;
	my $first = 1 + int rand 223;
	next if $first == 10 || $first == 127;
	my $address = ($first << 24 | int rand 1 << 24) & (0xffffffff << 32 - $length & 0xffffffff);
	$tree->insert_network(join('.', unpack('C4', pack('N', $address))) . "/$length",
		$cities[rand @cities]);
	$n++;
}
for (1 .. $ipv6) {
	my $length = 32 + int rand 17;
	my @words = (0x2000 + int rand 0x1000, int rand 65536, int rand 65536);
	$words[2] &= 0xffff << 48 - $length & 0xffff;
	$tree->insert_network(sprintf('%x:%x:%x::/%d', @words, $length), $cities[rand @cities]);
}
$tree->insert_network('127.0.0.0/8', city(0, 'AS', 'JP', 35.6762, 139.6503));

open my $file, '>:raw', "$out.new" or die "$out.new: $!\n";
$tree->write_tree($file);
close $file or die "$out.new: $!\n";
rename "$out.new", $out or die "$out: $!\n";
