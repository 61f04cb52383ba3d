using Silo.GcsEmulator.Store;

namespace Silo.GcsEmulator.Uploads;

/// <summary>What an upload is to become, known before its bytes arrive.</summary>
internal sealed record UploadTarget(string Bucket, string Name, ObjectMetadata Metadata, Preconditions Conditions, ExpectedChecksums Checksums);
