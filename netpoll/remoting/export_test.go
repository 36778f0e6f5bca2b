package remoting

// RaceEnabled tells tests outside the package that allocations cannot be counted.
const RaceEnabled = raceEnabled
